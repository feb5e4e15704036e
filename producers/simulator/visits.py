"""Visits to the simulated shop: several per order, in the same rhythm, and never broken."""

from __future__ import annotations

import itertools
import random
from bisect import bisect
from collections.abc import Iterator, Sequence
from typing import Any

from producers.record import RawRecord
from producers.simulator.clock import EventClock
from producers.simulator.staging import Staging

#: Visits per order: a conversion rate of 25 %. Shops have some 40, which would make ten times as much work of visits as of
#: orders.
PER_ORDER = 4.0
#: Share of visits of customers who are logged in.
LOGGED_IN = 0.3
#: What leads to visits, with weights; the contract lists them.
SOURCES = (("search", 38), ("direct", 27), ("email", 14), ("social", 11), ("advertising", 7), ("affiliate", 3))


class Visits:
    """The visits of one simulation, from a generator of their own: with or without them, the orders are the same.

    Incidents leave them as they are: people go on coming while their orders are missing, and the conversion rate shows it.
    """

    def __init__(self, seed: int, start_ms: int, per_second: float) -> None:
        """``per_second``: visits per second of event time, averaged over a week."""
        self._rng = random.Random(f"visits {seed}")  # noqa: S311 - a simulation must be repeatable, not secret
        self._clock = EventClock(self._rng, Staging((), seed), start_ms, per_second)
        # As ids of orders: another run does not repeat them.
        self._numbers = itertools.count(max(0, start_ms // 1000) * 100_000 + 1)
        self._weights = list(itertools.accumulate(weight for _, weight in SOURCES))
        self._clock.advance()

    def until(self, at_ms: float, customers: Sequence[dict[str, Any]]) -> Iterator[tuple[RawRecord, int]]:
        """Yield the visits before this event time, each with its own (ms); ``customers``: who may be logged in."""
        rng, clock, total = self._rng, self._clock, self._weights[-1]
        while clock.at_ms < at_ms:
            number, began = next(self._numbers), int(clock.at_ms)
            customer: int | str = "null"
            if customers and rng.random() < LOGGED_IN:
                customer = customers[int(len(customers) * rng.random() ** 1.7)]["customer_id"]
            source = SOURCES[bisect(self._weights, rng.random() * total)][0]
            text = f'{{"visit_id":{number},"customer_id":{customer},"source":"{source}","started":"{clock.timestamp()}"}}'
            yield RawRecord("visits", b"%d" % number, text.encode(), began // 1000 * 1000), began
            clock.advance()
