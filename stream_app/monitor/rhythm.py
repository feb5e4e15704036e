"""The week as the monitor sees it: which windows are alike, and how long things take, by length of window."""

from __future__ import annotations

from dataclasses import dataclass

#: Grain → length of a window in seconds; the letters stand in Redis keys (``stream_app.store.keys``).
SECONDS = {"m": 60, "h": 3_600, "d": 86_400}
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What depends on the length of a window.

    Attributes:
        warm_up: windows before anything but thresholds is judged.
        enough: values of one hour of the week from which on they alone are the expectation; fewer are backed up by the
            same hour of other days.
        ring: values kept for each hour of the week.
        memory: windows over which the level and shares are averaged.
        accept: anomalous windows after which a new level is the normal one.
        patience: windows without evidence after which an incident is closed.
    """

    seconds: int
    warm_up: int
    enough: int
    ring: int
    memory: int
    accept: int
    patience: int

    def cell(self, start: int) -> int:
        """The hour of the week (0 is Monday 0 h UTC), or for windows of a day the day of the week."""
        day = (start // _DAY + 3) % 7
        return day if self.seconds == _DAY else day * 24 + start % _DAY // 3_600

    def alike(self, cell: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Cells of the same hour on days of the same kind (Monday to Friday, or the weekend), and on all days."""
        if self.seconds == _DAY:
            return (tuple(range(5)) if cell < 5 else (5, 6)), tuple(range(7))
        hour, weekend = cell % 24, cell >= 120
        days = (5, 6) if weekend else range(5)
        return tuple(day * 24 + hour for day in days), tuple(day * 24 + hour for day in range(7))

    def day(self, cell: int) -> int:
        """The day of the week of a cell, 0 is Monday."""
        return cell if self.seconds == _DAY else cell // 24

    def hour(self, start: int) -> int:
        """The hour of the day, or for windows of a day the day of the week: what shares may depend on."""
        cell = self.cell(start)
        return cell if self.seconds == _DAY else cell % 24


RHYTHMS = {
    "m": Rhythm(60, warm_up=60, enough=30, ring=40, memory=2_880, accept=360, patience=10_080),
    "h": Rhythm(3_600, warm_up=24, enough=3, ring=5, memory=168, accept=48, patience=168),
    "d": Rhythm(_DAY, warm_up=7, enough=3, ring=6, memory=28, accept=10, patience=28),
}
