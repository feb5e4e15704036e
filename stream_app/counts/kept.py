"""Results that were computed before, so that a refresh computes only what has changed.

What is kept is a function of values that do not change, and is found by these very values: it cannot be out of date. A late
record, a restore or another contract gives other values. The results that nobody asked for longest are dropped.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Results by the identity of what they were computed from; ``most``: weight of all of them together.

    An object that something is kept for stays alive with it, so no other object gets its identity meanwhile.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        #: Identities → what has them, the result, and its weight; the one asked for longest ago first.
        self._results: dict[tuple[int, ...], tuple[tuple[object, ...], T, int]] = {}
        self.weight = 0

    def get(self, of: tuple[object, ...]) -> T | None:
        """Return what is kept for these very objects; None if nothing is."""
        key = tuple(map(id, of))
        with self._lock:
            found = self._results.pop(key, None)
            if found is None:
                return None
            self._results[key] = found
            return found[1]

    def keep(self, of: tuple[object, ...], result: T, weight: int) -> T:
        """Keep a result, and return it; what is heavier than everything together may be is not kept."""
        key = tuple(map(id, of))
        with self._lock:
            if key not in self._results and weight <= self._most:
                self._results[key] = (of, result, weight)
                self.weight += weight
            while self.weight > self._most:
                self.weight -= self._results.pop(next(iter(self._results)))[2]
        return result

    def or_compute(self, of: tuple[object, ...], compute: Callable[[], T], weigh: Callable[[T], int]) -> T:
        """Return what is kept for these very objects, or compute and keep it."""
        found = self.get(of)
        if found is not None:
            return found
        result = compute()
        return self.keep(of, result, weigh(result))
