"""An incident: one metric that is not as expected, from its first to its last window."""

from __future__ import annotations

from typing import Literal

import msgspec

from stream_app.windows.grain import Grain

ChangeKind = Literal["opened", "continued", "worse", "closed"]


class Incident(msgspec.Struct, frozen=True):
    """One metric of one entity that is not as expected.

    Attributes:
        id: ``<entity>.<metric>.<start>``; the same windows give the same id.
        metric: volume, revenue, average_order, conformity, finding:<rule>, null:<field>, mix:<segment field>,
            threshold:<rule> or drift:<field>:<appeared|vanished|text|type>.
        severity: warning or error, the worst so far.
        state: open or closed.
        start, end: seconds since the epoch: start of its first, end of its last window that was not as expected.
        grain: length of the windows.
        windows: number of windows so far that were not as expected.
        observed, expected, low, high: value, expectation and expected range in the worst window. Of a threshold
            ``low`` and ``high`` are the promise, of a drift ``expected`` is the share before.
        unit: records, money (minor units) or share (0 to 1).
        direction: high, low or changed.
        segment: (field, value, figure there, figure elsewhere) where one segment value stands out: shares of its records,
            for volume observed ÷ expected, for a mix the value's share now and before.
        updated: event time of the last change, seconds since the epoch.
        outcome: of a closed one: recovered, or accepted as the new normal.
        effect: money (minor units) above or, if negative, below the expected over all its windows; None if unknown. Of an
            incident with a segment, the money of that segment.
        sums: (windows, observed, expected) added up over its windows, and, if it ``crept``, those before that led to it.
        crept: it opened because small deviations added up; one window alone may be within its range.
        trail: (start, observed, expected, low, high) of its last windows, and of those in which it recovered.
    """

    id: str
    entity: str
    metric: str
    severity: str
    state: str
    start: int
    end: int
    grain: Grain
    windows: int
    observed: float
    expected: float | None
    low: float | None
    high: float | None
    unit: str
    direction: str
    segment: tuple[str, str, float, float] | None
    updated: int
    outcome: str = ""
    effect: float | None = None
    sums: tuple[int, float, float] | None = None
    crept: bool = False
    trail: tuple[tuple[int, float, float | None, float | None, float | None], ...] = ()

    def to_json(self) -> str:
        """Return compact JSON with the attributes as names."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Incident:
        """Read what ``to_json`` wrote; unknown names are left out.

        Raises:
            ValueError: the text is not the JSON of an incident.
        """
        return _INCIDENTS.decode(text)


class Change(msgspec.Struct, frozen=True):
    """One step in the life of an incident.

    ``opened``, ``worse`` (its severity rose) and ``closed`` are for people; ``continued`` only brings it up to date.
    """

    kind: ChangeKind
    incident: Incident

    def to_json(self) -> str:
        """Return ``{"kind": …, "incident": {…}}``."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Change:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: the text is not the JSON of a change.
        """
        return _CHANGES.decode(text)


_INCIDENTS, _CHANGES = msgspec.json.Decoder(Incident), msgspec.json.Decoder(Change)
