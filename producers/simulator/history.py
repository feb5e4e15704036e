"""The past of a simulated shop, as far as faults refer to it."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import Any

from producers.simulator.faults import USUAL, Fault


class History:
    """The events so far.

    Attributes:
        first_ms: customer → as-of time of the first record.
        last_ms: (entity, key) → as-of time of the last update.
        sold: product → orders.
        recent: fields of some recent orders.
    """

    def __init__(self) -> None:
        self.first_ms: dict[int, int] = {}
        self.last_ms: dict[tuple[str, int], int] = {}
        self.sold: defaultdict[int, int] = defaultdict(int)
        self.recent: deque[dict[str, Any]] = deque(maxlen=500)

    def allows(self, fault: Fault, entity: str, key: int, product_id: int) -> bool:
        """True if this record has the past that the fault needs."""
        needs = fault.needs
        return (
            needs is None
            or (needs == "earlier" and bool(self.recent))
            or (needs == "usual" and self.sold[product_id] > USUAL)
            or (needs == "past" and (entity, key) in self.last_ms)
            or (needs == "before" and key in self.first_ms)
        )

    def update(self, entity: str, key: int, as_of_ms: int) -> None:
        """Note a record of a customer or product."""
        self.last_ms[entity, key] = as_of_ms
        if entity == "customers":
            self.first_ms.setdefault(key, as_of_ms)
