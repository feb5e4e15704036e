"""A seeded shop: its customers, products and orders as a stream of events, some of them broken on purpose."""

from __future__ import annotations

import heapq
import itertools
import random
from bisect import bisect
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from producers.faults import Deck, Fault, dump
from producers.record import RawRecord

#: How busy an hour of the day (UTC) and a day of the week (Monday first) are; each averages 1.
HOURS = tuple(h / 24.0 for h in (
    9.0, 8.4, 8.4, 8.4, 8.4, 9.0, 12.0, 18.0, 24.0, 28.0, 31.0, 33.0,
    36.0, 34.0, 32.0, 31.0, 31.0, 32.0, 34.0, 38.0, 40.0, 35.0, 24.0, 11.2,
))  # fmt: skip
DAYS = (1.0, 0.95, 0.95, 1.0, 1.1, 1.15, 0.85)
_HOUR_MEAN = sum(HOURS) / 24

COUNTRIES = (
    ("United Kingdom", 40), ("Germany", 12), ("France", 9), ("United States", 9), ("Netherlands", 6), ("Spain", 5),
    ("Ireland", 4), ("Italy", 4), ("Sweden", 3), ("Poland", 3), ("Belgium", 2), ("Australia", 2), ("Japan", 1),
)  # fmt: skip
_FIRST = (
    "Ada", "Amir", "Anna", "Ben", "Chloe", "Daan", "Elif", "Emma", "Finn", "Grace", "Hana", "Igor", "Ines", "Jack", "Jonas",
    "Kofi", "Lena", "Leo", "Lucia", "Maja", "Marco", "Mia", "Nina", "Noah", "Olga", "Omar", "Paula", "Rosa", "Tom", "Yuki",
)  # fmt: skip
_LAST = (
    "Adler", "Bakker", "Becker", "Brown", "Costa", "Dubois", "Evans", "Fischer", "Garcia", "Hughes", "Ivanova", "Jansen",
    "Keller", "Larsen", "Lopez", "Martin", "Moreau", "Nowak", "Okafor", "Patel", "Rossi", "Sato", "Smith", "Walsh", "Weber",
)  # fmt: skip
CATEGORIES = ("Kitchen", "Garden", "Toys", "Books", "Lighting", "Stationery", "Decoration", "Textiles", "Outdoor", "Gifts")

#: Shares per order: a customer who is new, one whose data change, a product whose price changes, an order at a discount
#: or a surcharge, and, of new customers, those who are made known only after their first order.
NEW_CUSTOMER, CUSTOMER_CHANGE, PRICE_CHANGE, OFF_PRICE, LATE = 0.01, 0.02, 0.02, 0.3, 0.2
#: Largest deviation of an order's price from the product's.
DISCOUNT = 0.2
_ZIPF = 1.05


class Event(NamedTuple):
    """The ``number``-th record (from 0), due at ``at_ms`` of event time. ``fault`` None: nothing was done to it."""

    record: RawRecord
    fault: Fault | None
    number: int
    at_ms: int


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
        self.at_ms = float(plan.start_ms)
        self.numbers = itertools.count()
        # Ids follow from the start, so that another run does not repeat this one's orders.
        self.order_id = max(0, plan.start_ms // 1000) * 100_000
        self.customers: list[dict[str, Any]] = []
        self.products: list[dict[str, Any]] = []
        self.late: list[tuple[float, int]] = []
        self.unknown: set[int] = set()
        self.recent: deque[dict[str, Any]] = deque(maxlen=500)
        weights = (1 / (rank + 3) ** _ZIPF for rank in range(plan.products))
        self.popularity = list(itertools.accumulate(weights))
        self.countries = list(itertools.accumulate(weight for _, weight in COUNTRIES))
        self._second, self._text = -1, ""

    def events(self) -> Iterator[Event]:
        for _ in range(self.plan.products):
            yield self._event("products", self._new_product())
        for _ in range(self.plan.customers):
            yield self._event("customers", self._new_customer())
        for _ in itertools.count() if self.plan.count is None else range(self.plan.count):
            self._advance()
            while self.late and self.late[0][0] <= self.at_ms:
                yield self._introduce(heapq.heappop(self.late)[1])
            draw = self.rng.random()
            if draw < PRICE_CHANGE:
                yield self._price_change()
            elif draw < PRICE_CHANGE + CUSTOMER_CHANGE:
                yield self._customer_change()
            customer = None
            if self.rng.random() < NEW_CUSTOMER:
                customer = self._new_customer()
                if self.rng.random() < LATE:
                    number = customer["customer_id"]
                    self.unknown.add(number)
                    delay = self.rng.uniform(0.5, 5.0) * 1000 * self.plan.speed
                    heapq.heappush(self.late, (self.at_ms + delay, number))
                else:
                    yield self._event("customers", customer)
            yield self._order(customer or self._customer())
        while self.late:
            yield self._introduce(heapq.heappop(self.late)[1])

    # --- time -----------------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        seconds = int(self.at_ms // 1000)
        hour, day = seconds // 3600 % 24, (seconds // 86_400 + 3) % 7
        busy = HOURS[hour] / _HOUR_MEAN * DAYS[day]
        self.at_ms += self.rng.expovariate(self.plan.per_second * busy) * 1000

    def _timestamp(self) -> str:
        second = int(self.at_ms // 1000)
        if second != self._second:
            self._second = second
            self._text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return self._text

    # --- customers and products -----------------------------------------------------------------------------------

    def _new_customer(self) -> dict[str, Any]:
        number = 10_001 + len(self.customers)
        first, last = self.rng.choice(_FIRST), self.rng.choice(_LAST)
        customer = {
            "customer_id": number,
            "name": f"{first} {last}",
            "email": f"{first}.{last}.{number}@example.com".lower(),
            "country": self._country(),
        }
        self.customers.append(customer)
        return customer

    def _country(self) -> str:
        return COUNTRIES[bisect(self.countries, self.rng.random() * self.countries[-1])][0]

    def _new_product(self) -> dict[str, Any]:
        number = len(self.products)
        product = {
            "product_id": 101 + number,
            "category": CATEGORIES[number % len(CATEGORIES)],
            "unit_price": round(min(500.0, self.rng.lognormvariate(2.5, 0.8) + 0.5), 2),
        }
        self.products.append(product)
        return product

    def _customer(self) -> dict[str, Any]:
        """A customer; some buy often. One who has not been made known yet may order again."""
        return self.customers[int(len(self.customers) * self.rng.random() ** 1.7)]

    def _introduce(self, number: int) -> Event:
        self.unknown.discard(number)
        return self._event("customers", self.customers[number - 10_001])

    def _customer_change(self) -> Event:
        customer = self._customer()
        if customer["customer_id"] in self.unknown:
            customer = self.customers[0]
        fault = self._fault("customers")
        if fault is None:
            customer["country"] = self._country()
        return self._event("customers", customer, fault)

    def _price_change(self) -> Event:
        product = self._product()
        fault = self._fault("products")
        if fault is None:
            product["unit_price"] = round(min(500.0, max(0.5, product["unit_price"] * self.rng.uniform(0.85, 1.18))), 2)
        return self._event("products", product, fault)

    def _product(self) -> dict[str, Any]:
        return self.products[bisect(self.popularity, self.rng.random() * self.popularity[-1])]

    # --- orders ---------------------------------------------------------------------------------------------------

    def _order(self, customer: dict[str, Any]) -> Event:
        rng = self.rng
        product = self._product()
        price = product["unit_price"]
        if rng.random() < OFF_PRICE:
            price = _within(price, rng.uniform(1 - DISCOUNT, 1 + DISCOUNT / 4))
        quantity = 1 + min(59, int(rng.expovariate(0.55)))
        self.order_id += 1
        fault = self._fault("orders")
        if fault is None and customer["customer_id"] not in self.unknown:
            # The common case, written out: three times as fast as the general one.
            order_id, customer_id, product_id = self.order_id, customer["customer_id"], product["product_id"]
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

    def _fault(self, entity: str) -> Fault | None:
        if self.dice.random() >= self.plan.faults:
            return None
        fault = self.deck.deal(entity)
        while fault.needs == "earlier" and not self.recent:
            fault = self.deck.deal(entity)
        return fault

    def _event(self, entity: str, fields: dict[str, Any], fault: Fault | None = None) -> Event:
        if fault is None:
            value = dump(fields)
        else:
            if fault.needs == "earlier":
                # An order is repeated with its own key, so that it stands behind the first one in the same partition.
                fields = self.dice.choice(self.recent)
            value = fault.apply(fields, self.dice)
        key = fields["product_id" if entity == "products" else "customer_id"]
        at_ms = int(self.at_ms)
        return Event(RawRecord(entity, b"%d" % key, value, at_ms // 1000 * 1000), fault, next(self.numbers), at_ms)


def _within(price: float, factor: float) -> float:
    """``price`` × ``factor`` to the penny, and not beyond the promised deviation by rounding."""
    low, high = price * (1 - DISCOUNT), price * (1 + DISCOUNT)
    changed = round(price * factor, 2)
    return changed if low <= changed <= high else price
