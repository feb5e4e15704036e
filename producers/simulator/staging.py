"""Stage incidents in a simulated stream: which are active, how they change an order, which records they delay."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

from producers.record import RawRecord
from producers.simulator.incidents import Fields, Incident, Way

_NOTHING: Mapping[str, Any] = {}


class Staging:
    """The incidents of one simulation as its event time advances.

    Attributes:
        active: the incidents that are active now.
        rate: current factor of the number of orders.
        next_ms: event time at which the next incident starts or ends; until then ``active`` and ``rate`` hold.
    """

    def __init__(self, incidents: tuple[Incident, ...], seed: int) -> None:
        self._all = incidents
        # A generator of its own, so that the faults stay the same.
        self._dice = random.Random(f"incidents {seed}")  # noqa: S311 - a simulation must be repeatable, not secret
        self._delayed: list[tuple[int, RawRecord, Incident]] = []
        self.active: tuple[Incident, ...] = ()
        self.rate = 1.0
        self.next_ms = min((incident.start_ms for incident in incidents), default=float("inf"))

    def advance(self, at_ms: float) -> None:
        """Set the event time."""
        self.active = tuple(incident for incident in self._all if incident.active(at_ms))
        self.rate = 1.0
        for incident in self.active:
            self.rate *= incident.rate()
        changes = (ms for incident in self._all for ms in (incident.start_ms, incident.end_ms) if ms > at_ms)
        self.next_ms = min(changes, default=float("inf"))

    def suppresses(self, customer: Mapping[str, Any] = _NOTHING, product: Mapping[str, Any] = _NOTHING) -> bool:
        """True if an active incident suppresses an event of this customer and product."""
        return any(
            incident.kind.way == "lost"
            and incident.kind.suppresses(customer, product)
            and self._dice.random() < incident.magnitude
            for incident in self.active
        )

    def draw(self, way: Way, at_ms: float) -> Incident | None:
        """Return the first active incident of this way that affects an order now, drawn by its share."""
        for incident in self.active:
            if incident.kind.way == way and self._dice.random() < incident.share(at_ms):
                return incident
        return None

    def change(self, fields: Fields, at_ms: float) -> tuple[Fields, Incident | None]:
        """Return the fields of an order, and the incident that changed them, if any."""
        incident = self.draw("change", at_ms)
        return (fields, None) if incident is None else (incident.kind.change(fields, incident.magnitude), incident)

    def delay(self, record: RawRecord, incident: Incident) -> None:
        """Keep a record until the incident is over."""
        self._delayed.append((incident.end_ms, record, incident))

    def due(self, at_ms: float) -> Iterator[tuple[RawRecord, Incident]]:
        """Yield the delayed records whose incident is over, in the order in which they were delayed."""
        if self._delayed and self._delayed[0][0] <= at_ms:
            ready = [(record, incident) for end_ms, record, incident in self._delayed if end_ms <= at_ms]
            self._delayed = [delayed for delayed in self._delayed if delayed[0] > at_ms]
            yield from ready
