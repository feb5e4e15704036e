"""An incident: one metric that is not as expected, from its first to its last window."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

ChangeKind = Literal["opened", "continued", "worse", "closed"]


@dataclass(frozen=True, slots=True)
class Incident:
    """What went wrong with one metric of one entity.

    Attributes:
        id: ``<entity>.<metric>.<start>``; the same windows give the same id.
        metric: volume, revenue, average_order, conformity, finding:<rule>, null:<field>, mix:<segment field>,
            threshold:<rule> or drift:<field>:<appeared|vanished|text|type>.
        severity: warning or error, the worst so far.
        state: open or closed.
        start, end: seconds since the epoch: start of its first, end of its last window that was not as expected.
        grain: length of the windows: m, h or d.
        windows: how many were not as expected so far.
        observed, expected, low, high: value, expectation and expected range in the worst window. Of a threshold
            ``low`` and ``high`` are the promise, of a drift ``expected`` is the share before.
        unit: records, money (minor units) or share (0 to 1).
        direction: high, low or changed.
        segment: (field, value, figure there, figure elsewhere) where one segment value stands out: shares of its records,
            for volume observed ÷ expected, for a mix the value's share now and before.
        updated: event time of the last change, seconds since the epoch.
        outcome: of a closed one: recovered, or accepted as the new normal.
    """

    id: str
    entity: str
    metric: str
    severity: str
    state: str
    start: int
    end: int
    grain: str
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

    def to_json(self) -> str:
        """Compact JSON with the attributes as names."""
        return json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":"))

    def to_dict(self) -> dict[str, Any]:
        """The attributes as JSON types."""
        plain = asdict(self)
        plain["segment"] = None if self.segment is None else list(self.segment)
        return plain

    @classmethod
    def from_json(cls, text: str) -> Incident:
        """Read what ``to_json`` wrote; names that are not known are left out.

        Raises:
            ValueError: the text is no such JSON.
        """
        try:
            return cls.from_dict(json.loads(text))
        except (TypeError, AttributeError) as error:
            raise ValueError(f"no incident: {type(error).__name__}") from None

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Incident:
        """Read what ``to_dict`` gave."""
        known = {field.name for field in fields(cls)}
        kept = {name: value for name, value in plain.items() if name in known}
        segment = kept.get("segment")
        if segment is not None:
            name, value, there, elsewhere = segment
            kept["segment"] = (str(name), str(value), float(there), float(elsewhere))
        return cls(**kept)


@dataclass(frozen=True, slots=True)
class Change:
    """What a window did to an incident.

    ``opened``, ``worse`` (its severity rose) and ``closed`` are for people; ``continued`` only brings it up to date.
    """

    kind: ChangeKind
    incident: Incident
