"""A seeded shop: its customers, products, orders and visits as a stream of events, some of them broken on purpose."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from producers.record import RawRecord
from producers.simulator.clock import EventClock
from producers.simulator.damage import dump
from producers.simulator.faults import Deck, Fault
from producers.simulator.history import History
from producers.simulator.incidents import Incident, iso
from producers.simulator.population import Population
from producers.simulator.staging import Staging
from producers.simulator.visits import Visits

#: Shares of orders with a new customer, with a change of a customer, with a change of a list price, and with a discount or a
#: surcharge; and the share of new customers whose record follows their first order.
NEW_CUSTOMER, CUSTOMER_CHANGE, PRICE_CHANGE, OFF_PRICE, LATE = 0.01, 0.02, 0.02, 0.3, 0.2
#: Maximum deviation of an order's price from the product's list price.
DISCOUNT = 0.2
#: Maximum delay of a customer's record in event time (ms), at any speed.
_LATEST = 6 * 3_600_000
_DAY_MS = 86_400_000


class Event(NamedTuple):
    """One record of the simulated stream.

    Attributes:
        fault: the fault of the record; None if it is not broken.
        number: position in the stream, from 0.
        at_ms: event time at which it is sent.
        incident: the incident that changed, repeated or delayed it.
    """

    record: RawRecord
    fault: Fault | None
    number: int
    at_ms: int
    incident: Incident | None = None


@dataclass(frozen=True, slots=True)
class Simulation:
    """The parameters of a simulation; equal values yield equal bytes.

    Attributes:
        start_ms: event time of the first order, in milliseconds since the epoch.
        per_second: orders per second of event time, averaged over a week.
        speed: seconds of event time per second of sending; scales the delay of late customers.
        faults: share of records to break, 0 to 1.
        count: orders to make; None: no end. Records of customers and products, and visits, come on top.
        files: leave out the faults that a JSON Lines file cannot hold.
        incidents: incidents of the stream, by start.
        visits: visits per order, on average; 0: none, as for a shop whose contracts have none.
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
    visits: float = 0.0

    @property
    def span_ms(self) -> int:
        """Expected event time of all orders, in ms; 0 if there is no end."""
        return round(1000 * (self.count or 0) / self.per_second)

    def events(self) -> Iterator[Event]:
        """Yield the events by event time: first all products and the customers known at the start."""
        return _Shop(self).events()


class _Shop:
    def __init__(self, plan: Simulation) -> None:
        self.plan = plan
        # Faults have a generator of their own, so that the shop is the same at every share of faults.
        self.rng = random.Random(f"shop {plan.seed}")  # noqa: S311 - a simulation must be repeatable, not secret
        self.dice = random.Random(f"faults {plan.seed}")  # noqa: S311
        self.deck = Deck(self.dice, files=plan.files)
        self.staging = Staging(plan.incidents, plan.seed)
        self.clock = EventClock(self.rng, self.staging, plan.start_ms, plan.per_second)
        self.history = History()
        self.numbers = itertools.count()
        self.made = 0
        # Order ids follow from the start time, so that another run does not repeat them.
        self.order_id = max(0, plan.start_ms // 1000) * 100_000
        self.people = Population(self.rng, plan.products)
        self.visits = Visits(plan.seed, plan.start_ms, plan.per_second * plan.visits) if plan.visits else None
        #: Customers whose record follows their first order: when, and who; and the set of them.
        self.late: list[tuple[float, int]] = []
        self.unknown: set[int] = set()

    def events(self) -> Iterator[Event]:
        for _ in range(self.plan.products):
            yield self._event("products", self.people.new_product())
        for _ in range(self.plan.customers):
            yield self._event("customers", self.people.new_customer())
        while self.plan.count is None or self.made < self.plan.count:
            self.clock.advance()
            if self.visits is not None:
                for record, at_ms in self.visits.until(self.clock.at_ms, self.people.customers):
                    yield Event(record, None, next(self.numbers), at_ms)
            yield from self._due(self.clock.at_ms)
            while self.late and self.late[0][0] <= self.clock.at_ms:
                yield self._introduce(heapq.heappop(self.late)[1])
            yield from self._purchase()
        while self.late:
            yield self._introduce(heapq.heappop(self.late)[1])
        yield from self._due(float("inf"))

    def _purchase(self) -> Iterator[Event]:
        """Yield the events of one purchase: an order, perhaps after a change of a product or customer, perhaps repeated."""
        draw = self.rng.random()
        if draw < PRICE_CHANGE:
            yield from self._price_change()
        elif draw < PRICE_CHANGE + CUSTOMER_CHANGE:
            yield from self._customer_change()
        customer = None
        if self.rng.random() < NEW_CUSTOMER:
            customer = self.people.new_customer()
            late = self.rng.random() < LATE
            if self.staging.suppresses(customer):
                self.people.customers.pop()
                return
            if late:
                number = customer["customer_id"]
                self.unknown.add(number)
                delay = min(self.rng.uniform(0.5, 5.0) * 1000 * self.plan.speed, _LATEST)
                heapq.heappush(self.late, (self.clock.at_ms + delay, number))
            else:
                yield self._event("customers", customer)
        event = self._order(customer or self.people.customer())
        if event is not None:
            yield from self._delayed_or_repeated(event) if self.staging.active else (event,)

    # --- incidents ------------------------------------------------------------------------------------------------

    def _delayed_or_repeated(self, event: Event) -> Iterator[Event]:
        """Yield an order as the active incidents leave it: delayed, repeated or unchanged."""
        at_ms = self.clock.at_ms
        if event.fault is None and event.incident is None:
            late = self.staging.draw("late", at_ms)
            if late is not None:
                self.staging.delay(event.record, late)
                self.numbers = itertools.count(event.number)
                return
        yield event
        if event.fault is None:
            repeat = self.staging.draw("repeat", at_ms)
            if repeat is not None:
                yield event._replace(number=next(self.numbers), incident=repeat)

    def _due(self, at_ms: float) -> Iterator[Event]:
        """Yield the delayed orders whose incident is over, with the current as-of time."""
        for record, incident in self.staging.due(at_ms):
            now = int(self.clock.at_ms)
            yield Event(record._replace(as_of_ms=now // 1000 * 1000), None, next(self.numbers), now, incident)

    # --- customers and products -----------------------------------------------------------------------------------

    def _introduce(self, number: int) -> Event:
        self.unknown.discard(number)
        return self._event("customers", self.people.customers[number - 10_001])

    def _customer_change(self) -> Iterator[Event]:
        customer = self.people.customer()
        if customer["customer_id"] in self.unknown:
            customer = self.people.customers[0]
        country = self.people.country()
        if self.staging.suppresses(customer):
            return
        fault = self._fault("customers", customer["customer_id"])
        if fault is None:
            customer["country"] = country
        yield self._event("customers", customer, fault)

    def _price_change(self) -> Iterator[Event]:
        product = self.people.product()
        price = self.people.new_price(product)
        if self.staging.suppresses(product=product):
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
        if self.staging.active and self.staging.suppresses(customer, product):
            return None
        self.order_id += 1
        self.made += 1
        product_id = product["product_id"]
        self.history.sold[product_id] += 1
        fault = self._fault("orders", customer["customer_id"], product_id)
        if fault is None and customer["customer_id"] not in self.unknown and not self.staging.active:
            # The common case, written out: three times as fast as the general one.
            order_id, customer_id = self.order_id, customer["customer_id"]
            text = (
                f'{{"order_id":{order_id},"customer_id":{customer_id},"product_id":{product_id},'
                f'"quantity":{quantity},"price":{price},"order_date":"{self.clock.timestamp()}"}}'
            )
            if not order_id & 0x1F:
                self.history.recent.append(self._fields(customer, product, quantity, price))
            at_ms = int(self.clock.at_ms)
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
            "order_date": self.clock.timestamp(),
        }

    # --- records --------------------------------------------------------------------------------------------------

    def _fault(self, entity: str, key: int, product_id: int = 0) -> Fault | None:
        """Draw a fault for a record that has the past which the fault needs; None: leave the record intact."""
        if self.dice.random() >= self.plan.faults:
            return None
        while True:
            fault = self.deck.deal(entity)
            if self.history.allows(fault, entity, key, product_id):
                return fault

    def _event(self, entity: str, fields: dict[str, Any], fault: Fault | None = None) -> Event:
        at_ms = int(self.clock.at_ms)
        as_of_ms = at_ms // 1000 * 1000
        key = fields["product_id" if entity == "products" else "customer_id"]
        incident = None
        if fault is None:
            if entity == "orders" and self.staging.active:
                fields, incident = self.staging.change(fields, at_ms)
            value = dump(fields)
        else:
            if fault.needs == "earlier":
                # An order is repeated with its own key, so that it follows the first one in the same partition.
                fields = self.dice.choice(self.history.recent)
                key = fields["customer_id"]
            elif fault.needs == "before":
                known_ms = self.history.first_ms[key] - self.dice.randint(2, 300) * _DAY_MS
                fields = fields | {"order_date": iso(known_ms)}
            elif fault.needs == "past":
                as_of_ms = self.history.last_ms[entity, key] - self.dice.randint(60, 30 * 86_400) * 1000
            value = fault.damage(fields, self.dice)
        if entity != "orders" and (fault is None or (fault.outcome == "clean" and fault.needs is None)):
            self.history.update(entity, key, as_of_ms)
        return Event(RawRecord(entity, b"%d" % key, value, as_of_ms), fault, next(self.numbers), at_ms, incident)


def _within(price: float, factor: float) -> float:
    """Return ``price`` × ``factor`` to the penny, not outside of the maximum deviation by rounding."""
    low, high = price * (1 - DISCOUNT), price * (1 + DISCOUNT)
    changed = round(price * factor, 2)
    return changed if low <= changed <= high else price
