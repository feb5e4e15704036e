"""The incidents that the simulator stages, each with the anomalies that must show it.

A fault (``producers.simulator.faults``) breaks one record. An incident changes the number of records, the fields of many
records, or the time of their arrival, from one moment of event time to another. It is written to the truth file, never into
the stream.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

HOUR_MS = 3_600_000
#: Share of the orders that one source among several sends.
ONE_SOURCE = 0.4
#: Yen per dollar, approximately.
YEN = 155.0
_TIME = "%Y-%m-%dT%H:%M:%SZ"

Fields = dict[str, Any]
#: Fields of an order and a magnitude → the changed fields.
Change = Callable[[Fields, float], Fields]
#: A customer and a product → True if the incident suppresses their event.
Suppresses = Callable[[Mapping[str, Any], Mapping[str, Any]], bool]
Way = Literal["rate", "lost", "change", "repeat", "late"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of incident.

    Attributes:
        does: the effect in words, with ``{m}`` or ``{share}`` for the magnitude.
        way: ``rate`` changes the number of orders, ``lost`` suppresses some, ``change`` changes their fields, ``repeat``
            sends them twice, ``late`` delays them until the end.
        magnitude: default magnitude; ``does`` says its unit.
        hours: default duration.
        shown_by: anomalies as ``entity:metric`` (``stream_app.store.incidents``); each of them shows the incident.
        rules: ids of the rules that a changed record may break.
        share: magnitude → share of the orders that the incident affects.
        files: True if files can hold it, where the as-of time of a record is its own event time.
        gradual: grows from zero to its magnitude; it counts as visible after a quarter of its duration.
    """

    name: str
    does: str
    way: Way
    magnitude: float
    hours: int
    shown_by: tuple[str, ...]
    rules: tuple[str, ...] = ()
    share: Callable[[float], float] = lambda magnitude: magnitude
    change: Change = lambda fields, magnitude: fields
    suppresses: Suppresses = lambda customer, product: False
    files: bool = True
    gradual: bool = False

    def explain(self, magnitude: float | None = None) -> str:
        """Return the effect in words, at the default magnitude or at another."""
        given = self.magnitude if magnitude is None else magnitude
        return self.does.format(m=f"{given:g}", share=f"{given:.0%}")


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident of a stream, from ``start_ms`` to before ``end_ms`` of event time."""

    kind: Kind
    start_ms: int
    end_ms: int
    magnitude: float

    @property
    def visible_ms(self) -> int:
        """Time from which a monitor can be expected to notice it."""
        return self.start_ms + (self.end_ms - self.start_ms) // 4 if self.kind.gradual else self.start_ms

    def active(self, at_ms: float) -> bool:
        """True if the incident is active at this event time."""
        return self.start_ms <= at_ms < self.end_ms

    def share(self, at_ms: float) -> float:
        """Return the share of the orders that it affects at this event time."""
        share = self.kind.share(self.magnitude)
        if self.kind.gradual:
            share *= (at_ms - self.start_ms) / (self.end_ms - self.start_ms)
        return share

    def rate(self) -> float:
        """Return the factor of the number of orders."""
        if self.kind.way != "rate":
            return 1.0
        return self.magnitude if self.kind.magnitude > 1 else 1.0 - self.magnitude

    def to_json(self) -> dict[str, Any]:
        """Return its entry of the truth file: `incident`, `start`, `visible`, `end`, `magnitude`, `shown_by`, `rules`."""
        return {
            "incident": self.kind.name,
            "start": iso(self.start_ms),
            "visible": iso(self.visible_ms),
            "end": iso(self.end_ms),
            "magnitude": self.magnitude,
            "shown_by": list(self.kind.shown_by),
            "rules": list(self.kind.rules),
        }


def _set(**changes: Callable[[Any, float], Any]) -> Change:
    return lambda fields, m: fields | {name: change(fields[name], m) for name, change in changes.items()}


def _renamed(fields: Fields, magnitude: float) -> Fields:
    return {("unit_price" if name == "price" else name): value for name, value in fields.items()}


def _ahead(text: str, hours: float) -> str:
    return (datetime.fromisoformat(text) + timedelta(hours=hours)).strftime(_TIME)


def _everything(magnitude: float) -> float:
    return 1.0


_TRADE = ("orders:volume", "orders:revenue")
_WORSE = ("orders:average_order", "orders:conformity")
_PRICES = ("orders:finding:price_deviation", "orders:finding:price_outlier", *_WORSE)

KINDS: tuple[Kind, ...] = (
    Kind("outage", "{share} of the orders are missing", "rate", 1.0, 6, _TRADE),
    Kind("spike", "{m} times as many orders", "rate", 4.0, 4, _TRADE),
    Kind(
        "price_times", "every price is multiplied by {m}", "change", 100.0, 4, (*_PRICES, *_TRADE),
        ("price_deviation", "price_outlier", "order_value", "price.maximum"), share=_everything,
        change=_set(price=lambda price, m: round(price * m, 2)),
    ),
    Kind(
        "currency_mixup", "{share} of the orders are priced in yen", "change", 0.3, 6, (*_PRICES, *_TRADE),
        ("price_deviation", "price_outlier", "order_value", "price.maximum"),
        change=_set(price=lambda price, m: round(price * YEN, 2)),
    ),
    Kind(
        "null_flood", "{share} of the orders have no customer_id", "change", 0.5, 4,
        ("orders:finding:customer_id.required", "orders:drift:customer_id:vanished", "orders:conformity"),
        ("customer_id.required",), change=_set(customer_id=lambda value, m: None),
    ),
    Kind(
        "duplicate_storm", "{share} of the orders are sent twice", "repeat", 0.5, 4,
        ("orders:finding:order_id.unique", "orders:conformity"), ("order_id.unique",),
    ),
    Kind(
        "clock_skew", f"the clock of the source of {ONE_SOURCE:.0%} of the orders is {{m}} h ahead", "change", 36.0, 4,
        ("orders:finding:order_date_future", "orders:conformity"), ("order_date_future",), share=lambda hours: ONE_SOURCE,
        change=_set(order_date=_ahead), files=False,
    ),
    Kind(
        "country_gone", "{share} of the events of customers in the United Kingdom are missing", "lost", 1.0, 24,
        (*_TRADE, "orders:mix:customer_id.country", "customers:volume", "customers:mix:country"),
        suppresses=lambda customer, product: customer.get("country") == "United Kingdom",
    ),
    Kind(
        "category_gone", "{share} of the events of kitchen products are missing", "lost", 1.0, 48,
        (*_TRADE, "orders:mix:product_id.category", "products:volume", "products:mix:category"),
        suppresses=lambda customer, product: product.get("category") == "Kitchen",
    ),
    Kind(
        "field_renamed", "price is named unit_price in {share} of the orders", "change", 1.0, 4,
        ("orders:drift:price:vanished", "orders:drift:unit_price:appeared", "orders:finding:price.required", *_WORSE),
        ("price.required", "record.unknownField"), change=_renamed,
    ),
    Kind(
        "new_field", "{share} of the orders have a new field", "change", 1.0, 8,
        ("orders:drift:channel:appeared", "orders:finding:record.unknownField"), ("record.unknownField",),
        change=lambda fields, m: fields | {"channel": "app"},
    ),
    Kind(
        "numbers_as_text", "quantity and price are texts in {share} of the orders", "change", 1.0, 8,
        ("orders:drift:quantity:text", "orders:drift:price:text"),
        change=_set(quantity=lambda value, m: str(value), price=lambda value, m: str(value)),
    ),
    Kind(
        "slow_decay", "a growing share of the orders has no quantity, {share} at the end", "change", 0.4, 48,
        ("orders:finding:quantity.required", "orders:drift:quantity:vanished", "orders:conformity"), ("quantity.required",),
        change=_set(quantity=lambda value, m: None), gradual=True,
    ),
    Kind("late_delivery", "{share} of the orders are delayed until the end", "late", 0.8, 6, _TRADE),
    Kind(
        "bulk_orders", "{share} of the orders have 100 times the quantity", "change", 0.2, 4,
        ("orders:finding:quantity_outlier", "orders:revenue", *_WORSE), ("quantity_outlier",),
        change=_set(quantity=lambda value, m: value * 100),
    ),
)  # fmt: skip
BY_NAME = {kind.name: kind for kind in KINDS}


def iso(ms: int) -> str:
    """Return milliseconds since the epoch as ISO 8601, to the second."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime(_TIME)
