"""What may happen to a whole stream for hours or days: the incidents that the simulator stages, each with what must show it.

A record fault (``producers.simulator.faults``) breaks one record. An incident changes how many records come, what many of them
hold, or when they arrive, from one moment of event time to another. It is written to the truth file, never into the stream.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from stream_app.errors import SettingsError
from stream_app.windows.calendar import milliseconds, parse_moment

HOUR_MS = 3_600_000
#: Of a source among several: the share of orders that comes from it.
ONE_SOURCE = 0.4
#: Yen to the dollar, more or less.
YEN = 155.0
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_UNITS = {"w": 7 * 24 * HOUR_MS, "d": 24 * HOUR_MS, "h": HOUR_MS, "m": 60_000}
_SPAN = re.compile(r"(?:\d+[wdhm])+")
_WRITTEN = re.compile(r"(?P<name>\w+)@(?P<start>[^+*]+)(?:\+(?P<span>[^*]+))?(?:\*(?P<magnitude>\d+(?:\.\d+)?))?")

Fields = dict[str, Any]
#: The fields of an order that the incident changes, given its magnitude; the result replaces them.
Change = Callable[[Fields, float], Fields]
#: Whether the incident takes an order of this customer and product away.
Takes = Callable[[Mapping[str, Any], Mapping[str, Any]], bool]
Way = Literal["rate", "lost", "change", "repeat", "late"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One sort of incident.

    Attributes:
        does: what happens, with ``{m}`` for the magnitude.
        way: ``rate`` changes how many orders come, ``lost`` takes some away, ``change`` changes their fields, ``repeat``
            sends them twice, ``late`` holds them back until the end.
        magnitude: how much, unless the schedule says otherwise; its unit stands in ``does``.
        hours: how long, unless the schedule says otherwise.
        shown_by: ``entity:metric`` of the anomalies (``stream_app.store.incidents``) any of which shows it.
        rules: ids of the rules that the records it changes may break.
        files: whether it survives in files, where a record's as-of time is its own event time.
        gradual: grows from nothing to its magnitude; it counts as noticeable from a quarter of its time on.
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
    takes: Takes = lambda customer, product: False
    files: bool = True
    gradual: bool = False

    def explain(self, magnitude: float | None = None) -> str:
        """What it does, in words, at its usual magnitude or at another."""
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
        """From when on it can be expected to be noticed."""
        return self.start_ms + (self.end_ms - self.start_ms) // 4 if self.kind.gradual else self.start_ms

    def active(self, at_ms: float) -> bool:
        """Whether it is on at this moment of event time."""
        return self.start_ms <= at_ms < self.end_ms

    def share(self, at_ms: float) -> float:
        """The share of orders that it meets at this moment."""
        share = self.kind.share(self.magnitude)
        if self.kind.gradual:
            share *= (at_ms - self.start_ms) / (self.end_ms - self.start_ms)
        return share

    def rate(self) -> float:
        """By what the number of orders is multiplied."""
        if self.kind.way != "rate":
            return 1.0
        return self.magnitude if self.kind.magnitude > 1 else 1.0 - self.magnitude

    def to_json(self) -> dict[str, Any]:
        """The truth about it: `incident`, `start`, `visible`, `end`, `magnitude`, `shown_by`, `rules`."""
        return {
            "incident": self.kind.name,
            "start": written(self.start_ms),
            "visible": written(self.visible_ms),
            "end": written(self.end_ms),
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
    Kind("outage", "{share} of the orders do not come", "rate", 1.0, 6, _TRADE),
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
        "country_gone", "{share} of what customers in the United Kingdom do does not come", "lost", 1.0, 24,
        (*_TRADE, "orders:mix:customer_id.country", "customers:volume", "customers:mix:country"),
        takes=lambda customer, product: customer.get("country") == "United Kingdom",
    ),
    Kind(
        "category_gone", "{share} of what is about kitchen products does not come", "lost", 1.0, 48,
        (*_TRADE, "orders:mix:product_id.category", "products:volume", "products:mix:category"),
        takes=lambda customer, product: product.get("category") == "Kitchen",
    ),
    Kind(
        "field_renamed", "{share} of the orders call their price unit_price", "change", 1.0, 4,
        ("orders:drift:price:vanished", "orders:drift:unit_price:appeared", "orders:finding:price.required", *_WORSE),
        ("price.required", "record.unknownField"), change=_renamed,
    ),
    Kind(
        "new_field", "{share} of the orders have a new field", "change", 1.0, 8,
        ("orders:drift:channel:appeared", "orders:finding:record.unknownField"), ("record.unknownField",),
        change=lambda fields, m: fields | {"channel": "app"},
    ),
    Kind(
        "numbers_as_text", "in {share} of the orders quantity and price are texts", "change", 1.0, 8,
        ("orders:drift:quantity:text", "orders:drift:price:text"),
        change=_set(quantity=lambda value, m: str(value), price=lambda value, m: str(value)),
    ),
    Kind(
        "slow_decay", "ever more orders have no quantity, {share} of them at the end", "change", 0.4, 48,
        ("orders:finding:quantity.required", "orders:drift:quantity:vanished", "orders:conformity"), ("quantity.required",),
        change=_set(quantity=lambda value, m: None), gradual=True,
    ),
    Kind("late_delivery", "{share} of the orders are held back and come at the end", "late", 0.8, 6, _TRADE),
    Kind(
        "bulk_orders", "{share} of the orders are for 100 times as many", "change", 0.2, 4,
        ("orders:finding:quantity_outlier", "orders:revenue", *_WORSE), ("quantity_outlier",),
        change=_set(quantity=lambda value, m: value * 100),
    ),
)  # fmt: skip
BY_NAME = {kind.name: kind for kind in KINDS}


def spread(kinds: Sequence[Kind], rng: random.Random, start_ms: int, end_ms: int) -> tuple[Incident, ...]:
    """One incident of each kind in random order over a span, with equal gaps, each begun by day (between 6 and 18 h UTC).

    Raises:
        SettingsError: the span is too short for them.
    """
    if not kinds:
        return ()
    gap = (end_ms - start_ms - sum(kind.hours for kind in kinds) * HOUR_MS) // len(kinds)
    found = []
    at = start_ms
    for kind in rng.sample(list(kinds), len(kinds)):
        first = -(-(at + gap // 3) // HOUR_MS)
        starts = [hour for hour in range(first, (at + gap) // HOUR_MS) if 6 <= hour % 24 < 18]
        if not starts:
            raise SettingsError(
                f"{len(kinds)} incidents do not fit into {(end_ms - start_ms) // HOUR_MS} hours of event time; "
                "ask for fewer, or for more orders at a lower rate"
            )
        begin = rng.choice(starts) * HOUR_MS + rng.randrange(60) * 60_000
        found.append(Incident(kind, begin, begin + kind.hours * HOUR_MS, kind.magnitude))
        at += gap + kind.hours * HOUR_MS
    return tuple(found)


def parse(text: str, *, seed: int, start_ms: int, span_ms: int) -> tuple[Incident, ...]:
    """A schedule: ``random:5``, or ``NAME@START+DURATION*MAGNITUDE,…`` where the last two parts may be left out.

    START is a time (``2026-01-09T12:00:00Z``) or what has passed since the first order (``3d12h``). ``random:N`` spreads
    N kinds over the last three quarters of ``span_ms``.

    Raises:
        SettingsError: it cannot be read, or two incidents are of unknown kind or of no length.
    """
    if text.startswith("random:"):
        number = text.removeprefix("random:")
        if not number.isdigit() or not 1 <= int(number) <= len(KINDS):
            raise SettingsError(f"{text!r}: write random: and how many of the {len(KINDS)} incidents, such as random:5")
        # A stream of its own, so that the shop and the faults stay the same whatever happens.
        rng = random.Random(f"schedule {seed}")  # noqa: S311 - a simulation is to be repeatable, not secret
        kinds = rng.sample(KINDS, int(number))
        return tuple(sorted(spread(kinds, rng, start_ms + span_ms // 4, start_ms + span_ms), key=_start))
    return tuple(sorted((_parsed(part.strip(), start_ms) for part in text.split(",")), key=_start))


def _start(incident: Incident) -> int:
    return incident.start_ms


def _parsed(text: str, start_ms: int) -> Incident:
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise SettingsError(f"{text!r} is no incident; write one such as outage@3d12h+6h or spike@2026-01-09T12:00:00Z+4h*5")
    kind = BY_NAME.get(match["name"])
    if kind is None:
        raise SettingsError(f"{match['name']!r} is no incident; there are {', '.join(BY_NAME)}")
    written_start = match["start"]
    begin = start_ms + span(written_start) if _SPAN.fullmatch(written_start) else _moment(written_start)
    length = span(match["span"]) if match["span"] else kind.hours * HOUR_MS
    magnitude = float(match["magnitude"]) if match["magnitude"] else kind.magnitude
    if not length or not magnitude:
        raise SettingsError(f"{text!r}: its duration and its magnitude must be above zero")
    if kind.magnitude <= 1 < magnitude:
        raise SettingsError(f"{text!r}: the magnitude of {kind.name} is a share, at most 1")
    return Incident(kind, begin, begin + length, magnitude)


def span(text: str) -> int:
    """Milliseconds out of ``6h``, ``3d12h`` or ``90m``.

    Raises:
        SettingsError: it is none.
    """
    if not _SPAN.fullmatch(text):
        raise SettingsError(f"{text!r} is no duration; write one such as 6h, 3d12h or 90m")
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([wdhm])", text))


def _moment(text: str) -> int:
    moment = parse_moment(text) or parse_moment(f"{text}T00:00:00Z")
    if moment is None:
        raise SettingsError(f"{text!r} is no time; write one such as 2026-01-09T12:00:00Z, or 3d12h after the first order")
    return milliseconds(moment)


def written(ms: int) -> str:
    """Milliseconds since the epoch as ISO 8601, to the second."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime(_TIME)
