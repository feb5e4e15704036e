"""The newest findings of each rule in each hour and day, so that a rule that finds much hides no other rule."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

import msgspec

from stream_app.windows.as_of import UNKNOWN, is_shown
from stream_app.windows.grain import Grain

#: Findings kept of a rule in one window.
IN_WINDOW = 20
#: Windows of a rule that are kept: a week of hours, a year of days.
WINDOWS: Mapping[Grain, int] = {Grain.HOUR: 168, Grain.DAY: 366}


class Found(msgspec.Struct, frozen=True, array_like=True):
    """A finding without what its rule says of it: ``event_time`` and ``at`` (when it was counted) in ms since the epoch."""

    source: str = ""
    event_time: int | None = None
    at: int | None = None
    segments: dict[str, str] = {}

    @property
    def order(self) -> int:
        """The time by which findings are newest: that of the event, else when it was counted."""
        return (self.at or 0) if self.event_time is None else self.event_time


_DECODER = msgspec.json.Decoder(Found)
_ENCODER = msgspec.json.Encoder()


def found_of(raw: Iterable[str | bytes]) -> list[Found]:
    """Read stored findings; an entry that cannot be read, or has a time that no calendar shows, is left out."""
    read = []
    for entry in raw:
        try:
            one = _DECODER.decode(entry)
        except ValueError:
            continue
        if all(ms is None or is_shown(ms) for ms in (one.event_time, one.at)):
            read.append(one)
    return read


class FoundByWindow:
    """The newest findings among verdicts of one entity, by rule and hour."""

    def __init__(self) -> None:
        self._hours: dict[tuple[str, int], deque[tuple[str, int, Mapping[str, str]]]] = {}

    def add(self, rule: str, source: str, event_ms: int, segments: Mapping[str, str]) -> None:
        """Keep a finding; ``event_ms`` may be UNKNOWN."""
        key = rule, event_ms // 3_600_000
        kept = self._hours.get(key)
        if kept is None:
            kept = self._hours[key] = deque(maxlen=IN_WINDOW)
        kept.append((source, event_ms, segments))

    def encoded(self, at_ms: int) -> list[tuple[str, Grain, int, list[bytes]]]:
        """Return (rule, grain, start of the window in seconds, its findings, oldest first), counted at ``at_ms``."""
        windows: dict[tuple[str, Grain, int], list[bytes]] = {}
        for (rule, _), kept in self._hours.items():
            known = kept[0][1] != UNKNOWN
            rows = [_ENCODER.encode((source, ms if known else None, at_ms, segments)) for source, ms, segments in kept]
            for grain in WINDOWS:
                start = grain.start((kept[0][1] if known else at_ms) // 1_000)
                windows.setdefault((rule, grain, start), []).extend(rows)
        return [(rule, grain, start, rows[-IN_WINDOW:]) for (rule, grain, start), rows in windows.items()]
