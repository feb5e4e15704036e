"""The ways in which the simulator breaks records, each with the rule that must notice it.

A fault gets the record's fields and gives the broken bytes. What it does is chosen so that the expected rule is found
whatever else the record holds, and that no other record's verdict changes: customers and products are broken in later
updates only, never when they are first made known.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from producers.record import json_value, to_bytes

Outcome = Literal["clean", "rejected"]
Fields = Mapping[str, Any]
Break = Callable[[Fields, random.Random], bytes]
Needs = Literal["earlier", "usual", "past", "before", None]

#: How far from its product's usual an outlier lies, and how many orders make a usual.
QUANTITY_TIMES, PRICE_TIMES, USUAL = 50, 10, 200
#: The median quantity of the simulated orders.
USUAL_QUANTITY = 2


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to break a record of ``entity``.

    Attributes:
        rule: id of the rule that must be among the findings; None where cleaning repairs the record.
        outcome: what the record must become.
        files: whether the fault survives in a file of JSON Lines, where there are no empty lines and a record's as-of
            time is its own event time.
        needs: what the simulator has to see to: an ``earlier`` order to repeat, a product with a ``usual`` (``USUAL``
            orders), an as-of time in the ``past`` of what is known, or an order date ``before`` its customer was known.
        also: ids of the rules that it may break besides.
    """

    name: str
    entity: str
    apply: Break
    rule: str | None
    outcome: Outcome = "rejected"
    files: bool = True
    needs: Needs = None
    does: str = ""
    also: tuple[str, ...] = ()


def dump(fields: Fields) -> bytes:
    """The compact JSON of a record."""
    return to_bytes(json_value(dict(fields)))


def _with(name: str, value: Any) -> Break:
    return lambda fields, rng: dump({**fields, name: value})


def _without(name: str) -> Break:
    return lambda fields, rng: dump({key: value for key, value in fields.items() if key != name})


def _drawn(name: str, draw: Callable[[random.Random], Any]) -> Break:
    return lambda fields, rng: dump({**fields, name: draw(rng)})


def _changed(name: str, change: Callable[[Any], Any]) -> Break:
    return lambda fields, rng: dump({**fields, name: change(fields[name])})


def _cut(fields: Fields, rng: random.Random) -> bytes:
    whole = dump(fields)
    return whole[: rng.randint(1, len(whole) - 1)]


def _bad_bytes(fields: Fields, rng: random.Random) -> bytes:
    return dump(fields).replace(b'":"', b'":"\xff\xfe', 1)


def _twice(name: str) -> Break:
    return lambda fields, rng: dump(fields)[:-1] + b',"%s":%s}' % (name.encode(), json_value(fields[name]).encode())


def _nested(fields: Fields, rng: random.Random) -> bytes:
    return dump(fields)[:-1] + b',"note":' + b"[" * 1000 + b"]" * 1000 + b"}"


def _years_away(fields: Fields, rng: random.Random, years: int) -> bytes:
    year = int(fields["order_date"][:4]) + years
    return dump({**fields, "order_date": f"{year:04d}-06-15{fields['order_date'][10:]}"})


def _later(fields: Fields, rng: random.Random) -> bytes:
    return _years_away(fields, rng, rng.randint(2, 20))


def _times(price: float, rng: random.Random) -> float:
    return round(max(0.01, price * (rng.uniform(3.0, 5.0) if rng.random() < 0.5 else rng.uniform(0.2, 0.33))), 2)


def _two_dots(text: str) -> str:
    return text.replace(".", "..", 1)


def _another(text: str) -> str:
    return "Canada" if text != "Canada" else "Norway"


def _huge_order(fields: Fields, rng: random.Random) -> bytes:
    return dump({**fields, "quantity": rng.randint(5_000, 10_000), "price": float(rng.randint(300, 90_000))})


def _nan(fields: Fields, rng: random.Random) -> bytes:
    return dump({**fields, "price": float("nan")})


_ORDERS = (
    Fault("null_customer", "orders", _with("customer_id", None), "customer_id.required", does="customer_id is null"),
    Fault("missing_customer", "orders", _without("customer_id"), "customer_id.required", does="customer_id is not there"),
    Fault(
        "unknown_customer", "orders", _drawn("customer_id", lambda rng: 900_000_000 + rng.randrange(10**6)),
        "customer_id.reference", does="customer_id is nobody's",
    ),
    Fault(
        "unknown_product", "orders", _drawn("product_id", lambda rng: 900_000_000 + rng.randrange(10**6)),
        "product_id.reference", does="product_id is no product's",
    ),
    Fault("wrong_type", "orders", _with("product_id", {"id": 1}), "product_id.type", does="product_id is an object"),
    Fault("null_quantity", "orders", _with("quantity", None), "quantity.required", does="quantity is null"),
    Fault(
        "negative_quantity", "orders", _drawn("quantity", lambda rng: -rng.randint(1, 50)), "quantity.minimum",
        does="quantity is below zero",
    ),
    Fault("zero_quantity", "orders", _with("quantity", 0), "quantity.minimum", does="quantity is zero"),
    Fault(
        "huge_quantity", "orders", _drawn("quantity", lambda rng: rng.randint(20_000, 10**7)), "quantity.maximum",
        does="quantity is beyond the largest order",
    ),
    Fault(
        "text_quantity", "orders", _drawn("quantity", lambda rng: rng.choice(("three", "a dozen", "n/a"))),
        "quantity.type", does="quantity is a word",
    ),
    Fault("fractional_quantity", "orders", _with("quantity", 2.5), "quantity.type", does="quantity is 2.5"),
    Fault(
        "negative_price", "orders", _changed("price", lambda price: -price), "price.exclusiveMinimum",
        does="price is below zero",
    ),
    Fault("zero_price", "orders", _with("price", 0.0), "price.exclusiveMinimum", does="price is zero"),
    Fault(
        "huge_price", "orders", _drawn("price", lambda rng: rng.randint(200_000, 10**9)), "price.maximum",
        does="price is beyond any product's",
    ),
    Fault("text_price", "orders", _with("price", "free"), "price.type", does="price is a word"),
    Fault("nan_price", "orders", _nan, "record.number", does="price is NaN, which JSON does not have"),
    Fault(
        "bad_date", "orders", _changed("order_date", lambda text: f"{text[:5]}13-32{text[10:]}"), "order_date.type",
        does="order_date is no day of the calendar",
    ),
    Fault("missing_date", "orders", _without("order_date"), "order_date.required", does="order_date is not there"),
    Fault(
        "future_date", "orders", _later, "order_date_future", files=False, does="order_date lies years ahead of the record",
    ),
    Fault(
        "ancient_date", "orders", _changed("order_date", lambda text: f"1970{text[4:7]}-01{text[10:]}"), "order_date.minimum",
        does="order_date lies before the shop",
    ),
    Fault(
        "duplicate_order", "orders", lambda fields, rng: dump(fields), "order_id.unique", needs="earlier",
        does="an earlier order once more",
    ),
    Fault(
        "contradicting_order", "orders", _changed("quantity", lambda value: value + 1), "order_id.contradiction",
        needs="earlier", does="an earlier order's id with another quantity",
    ),
    Fault(
        "off_list_price", "orders", lambda fields, rng: dump({**fields, "price": _times(fields["price"], rng)}),
        "price_deviation", "clean", does="price is three to five times what it was, or a fifth to a third of it",
        also=("price_outlier",),
    ),
    Fault(
        "outlying_price", "orders", _changed("price", lambda price: round(price * PRICE_TIMES, 2)), "price_outlier",
        "clean", needs="usual", does=f"price is {PRICE_TIMES} times the product's usual", also=("price_deviation",),
    ),
    Fault(
        "outlying_quantity", "orders", _with("quantity", USUAL_QUANTITY * QUANTITY_TIMES), "quantity_outlier",
        "clean", needs="usual", does=f"quantity is {QUANTITY_TIMES} times the product's usual",
    ),
    Fault(
        "huge_order", "orders", _huge_order, "order_value", does="quantity and price are possible, the order's value is not",
        also=("price_deviation", "price_outlier", "quantity_outlier"),
    ),
    Fault(
        "order_before_customer", "orders", lambda fields, rng: dump(fields), "order_before_customer", "clean", needs="before",
        files=False, does="order_date is days before the customer was known",
    ),
    Fault("missing_order_id", "orders", _without("order_id"), "order_id.required", does="order_id is not there"),
    Fault("truncated_json", "orders", _cut, "record.syntax", does="the JSON is cut off"),
    Fault("invalid_utf8", "orders", _bad_bytes, "record.encoding", does="bytes that are no UTF-8"),
    Fault("duplicate_key", "orders", _twice("quantity"), "record.duplicateKey", does="quantity stands twice"),
    Fault("empty_record", "orders", lambda fields, rng: b"", "record.empty", files=False, does="no byte at all"),
    Fault("not_an_object", "orders", lambda fields, rng: b"[%s]" % dump(fields), "record.notObject", does="an array"),
    Fault("deep_nesting", "orders", _nested, "record.nesting", does="a field nested a thousand levels deep"),
    Fault(
        "extra_field", "orders", _with("channel", "app"), "record.unknownField", "clean", does="a field nobody has agreed on",
    ),
    Fault(
        "quantity_as_text", "orders", _changed("quantity", lambda value: f" {value} "), None, "clean",
        does="quantity is digits in a text, which cleaning repairs",
    ),
)  # fmt: skip

_CUSTOMERS = (
    Fault(
        "bad_email", "customers", _changed("email", lambda text: text.replace("@", " at ")), "email.format",
        does="email is no address",
    ),
    Fault(
        "misspelt_email", "customers", _changed("email", _two_dots), "email.format",
        does="email has two dots in a row, which no mail server takes",
    ),
    Fault("missing_email", "customers", _without("email"), "email.required", does="email is not there"),
    Fault("bad_country", "customers", _with("country", "Atlantis"), "country_known", does="country does not exist"),
    Fault("blank_name", "customers", _with("name", "   "), "name.required", does="name is blank"),
    Fault(
        "control_character", "customers", _changed("name", lambda text: text.replace(" ", "\u0007")), "name.characters",
        does="name holds a control character",
    ),
    Fault(
        "text_customer", "customers", _changed("customer_id", lambda value: f"C-{value}"), "customer_id.type",
        does="customer_id has letters",
    ),
    Fault(
        "stale_customer", "customers", _changed("country", _another), "customer_stale", "clean", needs="past", files=False,
        does="an update older than the one before it",
    ),
    Fault(
        "padded_name", "customers", _changed("name", lambda text: f"  {text.replace(' ', '   ')} "), None, "clean",
        does="white space around and within name, which cleaning repairs",
    ),
    Fault(
        "shouted_email", "customers", _changed("email", str.upper), None, "clean",
        does="email in capitals, which cleaning repairs",
    ),
)  # fmt: skip

_PRODUCTS = (
    Fault(
        "negative_unit_price", "products", _changed("unit_price", lambda price: -price), "unit_price.exclusiveMinimum",
        does="unit_price is below zero",
    ),
    Fault("text_unit_price", "products", _with("unit_price", "on request"), "unit_price.type", does="unit_price is a word"),
    Fault("null_category", "products", _with("category", None), "category.required", does="category is null"),
    Fault(
        "stale_product", "products", _changed("unit_price", lambda price: round(price * 0.9 + 0.01, 2)), "product_stale",
        "clean", needs="past", files=False, does="an update older than the one before it",
    ),
    Fault(
        "padded_category", "products", _changed("category", lambda text: f" {text}\t"), None, "clean",
        does="white space around category, which cleaning repairs",
    ),
)  # fmt: skip

FAULTS: tuple[Fault, ...] = (*_ORDERS, *_CUSTOMERS, *_PRODUCTS)


class Deck:
    """Deals the faults of an entity in shuffled rounds, so that every kind comes about equally often."""

    def __init__(self, rng: random.Random, *, files: bool) -> None:
        self._rng = rng
        self._kinds: dict[str, list[Fault]] = {}
        self._left: dict[str, list[Fault]] = {}
        for fault in FAULTS:
            if fault.files or not files:
                self._kinds.setdefault(fault.entity, []).append(fault)

    def deal(self, entity: str) -> Fault:
        """The next fault for a record of ``entity``."""
        left = self._left.get(entity)
        if not left:
            left = self._left[entity] = list(self._kinds[entity])
            self._rng.shuffle(left)
        return left.pop()
