"""A seeded shop: its customers, products and orders as a stream of events, some of them broken on purpose."""

from __future__ import annotations

import heapq
import itertools
import random
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from producers.record import RawRecord
from producers.simulator.faults import USUAL, Deck, Fault, dump
from producers.simulator.incidents import Incident, written
from producers.simulator.mishaps import Mishaps
from producers.simulator.population import DAYS, HOURS, Population

#: Shares per order: a customer who is new, one whose data change, a product whose price changes, an order at a discount
#: or a surcharge, and, of new customers, those who are made known only after their first order.
NEW_CUSTOMER, CUSTOMER_CHANGE, PRICE_CHANGE, OFF_PRICE, LATE = 0.01, 0.02, 0.02, 0.3, 0.2
#: Largest deviation of an order's price from the product's.
DISCOUNT = 0.2
#: A late customer is known after this much event time (ms) at the latest, however fast the simulation runs.
_LATEST = 6 * 3_600_000
_HOUR_MEAN = sum(HOURS) / 24
_DAY_MS = 86_400_000


class Event(NamedTuple):
    """The ``number``-th record (from 0), due at ``at_ms`` of event time.

    ``fault`` None: nothing was done to it. ``incident``: the one that changed, repeated or delayed it.
    """

    record: RawRecord
    fault: Fault | None
    number: int
    at_ms: int
    incident: Incident | None = None


@dataclass(frozen=True, slots=True)
class Simulation:
    """What determines a simulation; equal values give equal bytes.

    Attributes:
        start_ms: event time of the first order, in milliseconds since the epoch.
        per_second: orders per second of event time, on the average of a week.
        speed: seconds of event time per second of sending; how late a late customer comes is meant in the latter.
        faults: share of records to break, 0 to 1.
        count: orders to make; None for no end. Customers and products come on top.
        files: leave out the faults that a file of JSON Lines cannot hold.
        incidents: what happens to the stream as a whole, in the order of their beginning.
    """

    seed: int
    start_ms: int
    per_second: float = 200.0
    speed: float = 1.0
    faults: float = 0.03
    count: int | None = None
    customers: int = 1_000
    products: int = 200
    files: bool = False
    incidents: tuple[Incident, ...] = ()

    @property
    def span_ms(self) -> int:
        """Event time (ms) that the orders take, on the average; 0 where there is no end."""
        return round(1000 * (self.count or 0) / self.per_second)

    def events(self) -> Iterator[Event]:
        """The events in the order of their time: first the catalogue and the customers that are known by then."""
        return _Shop(self).events()


class _Shop:
    def __init__(self, plan: Simulation) -> None:
        self.plan = plan
        # A stream of its own for the faults: the shop is the same shop at every share of faults.
        self.rng = random.Random(f"shop {plan.seed}")  # noqa: S311 - a simulation is to be repeatable, not secret
        self.dice = random.Random(f"faults {plan.seed}")  # noqa: S311
        self.deck = Deck(self.dice, files=plan.files)
        self.mishaps = Mishaps(plan.incidents, plan.seed)
        self.mishaps.turn(plan.start_ms)
        self.at_ms = float(plan.start_ms)
        self.numbers = itertools.count()
        self.made = 0
        # Ids follow from the start, so that another run does not repeat this one's orders.
        self.order_id = max(0, plan.start_ms // 1000) * 100_000
        self.people = Population(self.rng, plan.products)
        self.late: list[tuple[float, int]] = []
        self.unknown: set[int] = set()
        # What the faults need to know: when a customer came to be known, the last update, how often a product was sold.
        self.first_ms: dict[int, int] = {}
        self.last_ms: dict[tuple[str, int], int] = {}
        self.sold: defaultdict[int, int] = defaultdict(int)
        self.recent: deque[dict[str, Any]] = deque(maxlen=500)
        self._second, self._text = -1, ""

    def events(self) -> Iterator[Event]:
        for _ in range(self.plan.products):
            yield self._event("products", self.people.new_product())
        for _ in range(self.plan.customers):
            yield self._event("customers", self.people.new_customer())
        while self.plan.count is None or self.made < self.plan.count:
            self._advance()
            yield from self._released(self.at_ms)
            while self.late and self.late[0][0] <= self.at_ms:
                yield self._introduce(heapq.heappop(self.late)[1])
            yield from self._visit()
        while self.late:
            yield self._introduce(heapq.heappop(self.late)[1])
        yield from self._released(float("inf"))

    def _visit(self) -> Iterator[Event]:
        """What one visit brings: an order, before it perhaps news of a product or a customer, after it a repetition."""
        draw = self.rng.random()
        if draw < PRICE_CHANGE:
            yield from self._price_change()
        elif draw < PRICE_CHANGE + CUSTOMER_CHANGE:
            yield from self._customer_change()
        customer = None
        if self.rng.random() < NEW_CUSTOMER:
            customer = self.people.new_customer()
            late = self.rng.random() < LATE
            if self.mishaps.takes(customer):
                self.people.customers.pop()
                return
            if late:
                number = customer["customer_id"]
                self.unknown.add(number)
                delay = min(self.rng.uniform(0.5, 5.0) * 1000 * self.plan.speed, _LATEST)
                heapq.heappush(self.late, (self.at_ms + delay, number))
            else:
                yield self._event("customers", customer)
        event = self._order(customer or self.people.customer())
        if event is not None:
            yield from self._upset(event) if self.mishaps.on else (event,)

    def _upset(self, event: Event) -> Iterator[Event]:
        """What becomes of an order while an incident is on: it may be held back or repeated."""
        if event.fault is None and event.incident is None:
            late = self.mishaps.meets("late", self.at_ms)
            if late is not None:
                self.mishaps.hold(event.record, late)
                self.numbers = itertools.count(event.number)
                return
        yield event
        if event.fault is None:
            again = self.mishaps.meets("repeat", self.at_ms)
            if again is not None:
                yield event._replace(number=next(self.numbers), incident=again)

    def _released(self, at_ms: float) -> Iterator[Event]:
        for record, incident in self.mishaps.released(at_ms):
            now = int(self.at_ms)
            yield Event(record._replace(as_of_ms=now // 1000 * 1000), None, next(self.numbers), now, incident)

    # --- time -----------------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        mishaps = self.mishaps
        while True:
            if mishaps.rate > 0:
                seconds = int(self.at_ms // 1000)
                busy = HOURS[seconds // 3600 % 24] / _HOUR_MEAN * DAYS[(seconds // 86_400 + 3) % 7]
                self.at_ms += self.rng.expovariate(self.plan.per_second * mishaps.rate * busy) * 1000
            else:
                self.at_ms = mishaps.turn_ms
            if self.at_ms < mishaps.turn_ms:
                return
            mishaps.turn(self.at_ms)
            if mishaps.rate > 0:
                return

    def _timestamp(self) -> str:
        second = int(self.at_ms // 1000)
        if second != self._second:
            self._second = second
            self._text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return self._text

    # --- customers and products -----------------------------------------------------------------------------------

    def _introduce(self, number: int) -> Event:
        self.unknown.discard(number)
        return self._event("customers", self.people.customers[number - 10_001])

    def _customer_change(self) -> Iterator[Event]:
        customer = self.people.customer()
        if customer["customer_id"] in self.unknown:
            customer = self.people.customers[0]
        country = self.people.country()
        if self.mishaps.takes(customer):
            return
        fault = self._fault("customers", customer["customer_id"])
        if fault is None:
            customer["country"] = country
        yield self._event("customers", customer, fault)

    def _price_change(self) -> Iterator[Event]:
        product = self.people.product()
        price = self.people.new_price(product)
        if self.mishaps.takes(product=product):
            return
        fault = self._fault("products", product["product_id"])
        if fault is None:
            product["unit_price"] = price
        yield self._event("products", product, fault)

    # --- orders ---------------------------------------------------------------------------------------------------

    def _order(self, customer: dict[str, Any]) -> Event | None:
        rng = self.rng
        product = self.people.product()
        price = product["unit_price"]
        if rng.random() < OFF_PRICE:
            price = _within(price, rng.uniform(1 - DISCOUNT, 1 + DISCOUNT / 4))
        quantity = 1 + min(59, int(rng.expovariate(0.55)))
        if self.mishaps.on and self.mishaps.takes(customer, product):
            return None
        self.order_id += 1
        self.made += 1
        product_id = product["product_id"]
        self.sold[product_id] += 1
        fault = self._fault("orders", customer["customer_id"], product_id)
        if fault is None and customer["customer_id"] not in self.unknown and not self.mishaps.on:
            # The common case, written out: three times as fast as the general one.
            order_id, customer_id = self.order_id, customer["customer_id"]
            text = (
                f'{{"order_id":{order_id},"customer_id":{customer_id},"product_id":{product_id},'
                f'"quantity":{quantity},"price":{price},"order_date":"{self._timestamp()}"}}'
            )
            if not order_id & 0x1F:
                self.recent.append(self._fields(customer, product, quantity, price))
            at_ms = int(self.at_ms)
            record = RawRecord("orders", b"%d" % customer_id, text.encode(), at_ms // 1000 * 1000)
            return Event(record, None, next(self.numbers), at_ms)
        return self._event("orders", self._fields(customer, product, quantity, price), fault)

    def _fields(self, customer: dict[str, Any], product: dict[str, Any], quantity: int, price: float) -> dict[str, Any]:
        return {
            "order_id": self.order_id,
            "customer_id": customer["customer_id"],
            "product_id": product["product_id"],
            "quantity": quantity,
            "price": price,
            "order_date": self._timestamp(),
        }

    # --- records --------------------------------------------------------------------------------------------------

    def _fault(self, entity: str, key: int, product_id: int = 0) -> Fault | None:
        if self.dice.random() >= self.plan.faults:
            return None
        while True:
            fault = self.deck.deal(entity)
            needs = fault.needs
            if (
                needs is None
                or (needs == "earlier" and self.recent)
                or (needs == "usual" and self.sold[product_id] > USUAL)
                or (needs == "past" and (entity, key) in self.last_ms)
                or (needs == "before" and key in self.first_ms)
            ):
                return fault

    def _event(self, entity: str, fields: dict[str, Any], fault: Fault | None = None) -> Event:
        at_ms = int(self.at_ms)
        as_of_ms = at_ms // 1000 * 1000
        key = fields["product_id" if entity == "products" else "customer_id"]
        incident = None
        if fault is None:
            if entity == "orders" and self.mishaps.on:
                fields, incident = self.mishaps.changed(fields, at_ms)
            value = dump(fields)
        else:
            if fault.needs == "earlier":
                # An order is repeated with its own key, so that it stands behind the first one in the same partition.
                fields = self.dice.choice(self.recent)
                key = fields["customer_id"]
            elif fault.needs == "before":
                known_ms = self.first_ms[key] - self.dice.randint(2, 300) * _DAY_MS
                fields = fields | {"order_date": written(known_ms)}
            elif fault.needs == "past":
                as_of_ms = self.last_ms[entity, key] - self.dice.randint(60, 30 * 86_400) * 1000
            value = fault.apply(fields, self.dice)
        if entity != "orders" and (fault is None or (fault.outcome == "clean" and fault.needs is None)):
            self.last_ms[entity, key] = as_of_ms
            if entity == "customers":
                self.first_ms.setdefault(key, as_of_ms)
        return Event(RawRecord(entity, b"%d" % key, value, as_of_ms), fault, next(self.numbers), at_ms, incident)


def _within(price: float, factor: float) -> float:
    """``price`` × ``factor`` to the penny, and not beyond the promised deviation by rounding."""
    low, high = price * (1 - DISCOUNT), price * (1 + DISCOUNT)
    changed = round(price * factor, 2)
    return changed if low <= changed <= high else price
