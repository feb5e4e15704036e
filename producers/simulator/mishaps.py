"""Stages incidents in a simulated stream: which are on, what they do to an order, what they hold back."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

from producers.record import RawRecord
from producers.simulator.incidents import Fields, Incident

_NOTHING: Mapping[str, Any] = {}


class Mishaps:
    """The incidents of one simulation, as its event time goes on.

    Attributes:
        on: those that are on now.
        rate: by what the number of orders is multiplied now.
        turn_ms: when the next one begins or ends; until then nothing has to be asked.
    """

    def __init__(self, incidents: tuple[Incident, ...], seed: int) -> None:
        self._all = incidents
        # A stream of its own, so that the faults stay the same.
        self._dice = random.Random(f"incidents {seed}")  # noqa: S311 - a simulation is to be repeatable, not secret
        self._held: list[tuple[int, RawRecord, Incident]] = []
        self.on: tuple[Incident, ...] = ()
        self.rate = 1.0
        self.turn_ms = min((incident.start_ms for incident in incidents), default=float("inf"))

    def turn(self, at_ms: float) -> None:
        """It is ``at_ms`` now: what is on, and until when?"""
        self.on = tuple(incident for incident in self._all if incident.active(at_ms))
        self.rate = 1.0
        for incident in self.on:
            self.rate *= incident.rate()
        turns = (ms for incident in self._all for ms in (incident.start_ms, incident.end_ms) if ms > at_ms)
        self.turn_ms = min(turns, default=float("inf"))

    def takes(self, customer: Mapping[str, Any] = _NOTHING, product: Mapping[str, Any] = _NOTHING) -> bool:
        """Whether what these do does not come."""
        return any(
            incident.kind.way == "lost" and incident.kind.takes(customer, product) and self._dice.random() < incident.magnitude
            for incident in self.on
        )

    def meets(self, way: str, at_ms: float) -> Incident | None:
        """The first incident of this way that meets an order now; the dice decide by its share."""
        for incident in self.on:
            if incident.kind.way == way and self._dice.random() < incident.share(at_ms):
                return incident
        return None

    def changed(self, fields: Fields, at_ms: float) -> tuple[Fields, Incident | None]:
        """An order's fields, changed or not, and the incident that changed them."""
        incident = self.meets("change", at_ms)
        return (fields, None) if incident is None else (incident.kind.change(fields, incident.magnitude), incident)

    def hold(self, record: RawRecord, incident: Incident) -> None:
        """Keep a record back until the incident is over."""
        self._held.append((incident.end_ms, record, incident))

    def released(self, at_ms: float) -> Iterator[tuple[RawRecord, Incident]]:
        """The records that come now, in the order in which they were held back."""
        if self._held and self._held[0][0] <= at_ms:
            ready = [(record, incident) for end_ms, record, incident in self._held if end_ms <= at_ms]
            self._held = [held for held in self._held if held[0] > at_ms]
            yield from ready
