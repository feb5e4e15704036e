"""The faults that the simulator puts into records, each with the rule that must find it.

A fault is chosen so that its rule is found whatever else the record contains, and that the verdict of no other record
changes: customers and products are broken in later updates only, never in their first record.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from producers.simulator.damage import (
    Damage,
    another_country,
    changed,
    cut_off,
    drawn,
    dump,
    huge_order,
    invalid_utf8,
    nan_price,
    nested,
    off_list,
    repeated_key,
    replaced,
    two_dots,
    without,
    years_later,
)

Outcome = Literal["clean", "rejected"]
Needs = Literal["earlier", "usual", "past", "before"] | None

#: Factors of an outlying quantity and an outlying price.
QUANTITY_TIMES, PRICE_TIMES = 50, 10
#: Orders of a product after which an outlier can be expected to be found.
USUAL = 200
#: Median quantity of the simulated orders.
USUAL_QUANTITY = 2


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to break a record of ``entity``.

    Attributes:
        rule: id of the rule that must be among the findings; None if cleaning repairs the record.
        outcome: expected outcome of the record.
        files: True if a JSON Lines file can hold the fault. It cannot hold an empty line, and the as-of time of its records
            is their own event time.
        needs: what the simulator must provide: an ``earlier`` order to repeat, a product with a ``usual`` price and quantity
            (``USUAL`` orders), an as-of time in the ``past`` of the last update, or an order date ``before`` the customer's
            first record.
        does: the effect in words, as the docs show it.
        also: ids of the rules that the record may break too.
    """

    name: str
    entity: str
    damage: Damage
    rule: str | None
    outcome: Outcome = "rejected"
    files: bool = True
    needs: Needs = None
    does: str = ""
    also: tuple[str, ...] = ()


_ORDERS = (
    Fault("null_customer", "orders", replaced("customer_id", None), "customer_id.required", does="customer_id is null"),
    Fault("missing_customer", "orders", without("customer_id"), "customer_id.required", does="customer_id is missing"),
    Fault(
        "unknown_customer", "orders", drawn("customer_id", lambda rng: 900_000_000 + rng.randrange(10**6)),
        "customer_id.reference", does="customer_id is unknown",
    ),
    Fault(
        "unknown_product", "orders", drawn("product_id", lambda rng: 900_000_000 + rng.randrange(10**6)),
        "product_id.reference", does="product_id is unknown",
    ),
    Fault("wrong_type", "orders", replaced("product_id", {"id": 1}), "product_id.type", does="product_id is an object"),
    Fault("null_quantity", "orders", replaced("quantity", None), "quantity.required", does="quantity is null"),
    Fault(
        "negative_quantity", "orders", drawn("quantity", lambda rng: -rng.randint(1, 50)), "quantity.minimum",
        does="quantity is below zero",
    ),
    Fault("zero_quantity", "orders", replaced("quantity", 0), "quantity.minimum", does="quantity is zero"),
    Fault(
        "huge_quantity", "orders", drawn("quantity", lambda rng: rng.randint(20_000, 10**7)), "quantity.maximum",
        does="quantity is above the maximum",
    ),
    Fault(
        "text_quantity", "orders", drawn("quantity", lambda rng: rng.choice(("three", "a dozen", "n/a"))),
        "quantity.type", does="quantity is a word",
    ),
    Fault("fractional_quantity", "orders", replaced("quantity", 2.5), "quantity.type", does="quantity is 2.5"),
    Fault(
        "negative_price", "orders", changed("price", lambda price: -price), "price.exclusiveMinimum",
        does="price is below zero",
    ),
    Fault("zero_price", "orders", replaced("price", 0.0), "price.exclusiveMinimum", does="price is zero"),
    Fault(
        "huge_price", "orders", drawn("price", lambda rng: rng.randint(200_000, 10**9)), "price.maximum",
        does="price is above the maximum",
    ),
    Fault("text_price", "orders", replaced("price", "free"), "price.type", does="price is a word"),
    Fault("nan_price", "orders", nan_price, "record.number", does="price is NaN, which JSON does not have"),
    Fault(
        "bad_date", "orders", changed("order_date", lambda text: f"{text[:5]}13-32{text[10:]}"), "order_date.type",
        does="order_date is not a day of the calendar",
    ),
    Fault("missing_date", "orders", without("order_date"), "order_date.required", does="order_date is missing"),
    Fault(
        "future_date", "orders", years_later, "order_date_future", files=False, does="order_date is years after the record",
    ),
    Fault(
        "ancient_date", "orders", changed("order_date", lambda text: f"1970{text[4:7]}-01{text[10:]}"), "order_date.minimum",
        does="order_date is before the shop opened",
    ),
    Fault(
        "duplicate_order", "orders", lambda fields, rng: dump(fields), "order_id.unique", needs="earlier",
        does="the order repeats an earlier one",
    ),
    Fault(
        "contradicting_order", "orders", changed("quantity", lambda value: value + 1), "order_id.contradiction",
        needs="earlier", does="the order repeats an earlier id with another quantity",
    ),
    Fault(
        "off_list_price", "orders", lambda fields, rng: dump({**fields, "price": off_list(fields["price"], rng)}),
        "price_deviation", "clean", does="price is multiplied by 3 to 5 or by 0.2 to 0.33",
        also=("price_outlier",),
    ),
    Fault(
        "outlying_price", "orders", changed("price", lambda price: round(price * PRICE_TIMES, 2)), "price_outlier",
        "clean", needs="usual", does=f"price is {PRICE_TIMES} times the product's usual price", also=("price_deviation",),
    ),
    Fault(
        "outlying_quantity", "orders", replaced("quantity", USUAL_QUANTITY * QUANTITY_TIMES), "quantity_outlier",
        "clean", needs="usual", does=f"quantity is {QUANTITY_TIMES} times the product's usual quantity",
    ),
    Fault(
        "huge_order", "orders", huge_order, "order_value", does="quantity and price are possible, the order's value is not",
        also=("price_deviation", "price_outlier", "quantity_outlier"),
    ),
    Fault(
        "order_before_customer", "orders", lambda fields, rng: dump(fields), "order_before_customer", "clean", needs="before",
        files=False, does="order_date is days before the customer was known",
    ),
    Fault("missing_order_id", "orders", without("order_id"), "order_id.required", does="order_id is missing"),
    Fault("truncated_json", "orders", cut_off, "record.syntax", does="the JSON is cut off"),
    Fault("invalid_utf8", "orders", invalid_utf8, "record.encoding", does="the bytes are not UTF-8"),
    Fault("duplicate_key", "orders", repeated_key("quantity"), "record.duplicateKey", does="quantity appears twice"),
    Fault("empty_record", "orders", lambda fields, rng: b"", "record.empty", files=False, does="the record is empty"),
    Fault(
        "not_an_object", "orders", lambda fields, rng: b"[%s]" % dump(fields), "record.notObject",
        does="the record is an array",
    ),
    Fault("deep_nesting", "orders", nested, "record.nesting", does="a field is nested a thousand levels deep"),
    Fault(
        "extra_field", "orders", replaced("channel", "app"), "record.unknownField", "clean",
        does="the record has a field that the contract does not have",
    ),
    Fault(
        "quantity_as_text", "orders", changed("quantity", lambda value: f" {value} "), None, "clean",
        does="quantity is a text of digits, which cleaning repairs",
    ),
)  # fmt: skip

_CUSTOMERS = (
    Fault(
        "bad_email", "customers", changed("email", lambda text: text.replace("@", " at ")), "email.format",
        does="email is not an address",
    ),
    Fault(
        "misspelt_email", "customers", changed("email", two_dots), "email.format",
        does="email has two dots in a row, which no mail server accepts",
    ),
    Fault("missing_email", "customers", without("email"), "email.required", does="email is missing"),
    Fault("bad_country", "customers", replaced("country", "Atlantis"), "country_known", does="country does not exist"),
    Fault("blank_name", "customers", replaced("name", "   "), "name.required", does="name is blank"),
    Fault(
        "control_character", "customers", changed("name", lambda text: text.replace(" ", "\u0007")), "name.characters",
        does="name contains a control character",
    ),
    Fault(
        "text_customer", "customers", changed("customer_id", lambda value: f"C-{value}"), "customer_id.type",
        does="customer_id contains letters",
    ),
    Fault(
        "stale_customer", "customers", changed("country", another_country), "customer_stale", "clean", needs="past",
        files=False, does="the update is older than the one before it",
    ),
    Fault(
        "padded_name", "customers", changed("name", lambda text: f"  {text.replace(' ', '   ')} "), None, "clean",
        does="name has surplus white space, which cleaning repairs",
    ),
    Fault(
        "shouted_email", "customers", changed("email", str.upper), None, "clean",
        does="email is in capitals, which cleaning repairs",
    ),
)  # fmt: skip

_PRODUCTS = (
    Fault(
        "negative_unit_price", "products", changed("unit_price", lambda price: -price), "unit_price.exclusiveMinimum",
        does="unit_price is below zero",
    ),
    Fault("text_unit_price", "products", replaced("unit_price", "on request"), "unit_price.type", does="unit_price is a word"),
    Fault("null_category", "products", replaced("category", None), "category.required", does="category is null"),
    Fault(
        "stale_product", "products", changed("unit_price", lambda price: round(price * 0.9 + 0.01, 2)), "product_stale",
        "clean", needs="past", files=False, does="the update is older than the one before it",
    ),
    Fault(
        "padded_category", "products", changed("category", lambda text: f" {text}\t"), None, "clean",
        does="category has surplus white space, which cleaning repairs",
    ),
)  # fmt: skip

FAULTS: tuple[Fault, ...] = (*_ORDERS, *_CUSTOMERS, *_PRODUCTS)


class Deck:
    """Deals the faults of an entity in shuffled rounds, so that every fault occurs about equally often."""

    def __init__(self, rng: random.Random, *, files: bool) -> None:
        self._rng = rng
        self._kinds: dict[str, list[Fault]] = {}
        self._left: dict[str, list[Fault]] = {}
        for fault in FAULTS:
            if fault.files or not files:
                self._kinds.setdefault(fault.entity, []).append(fault)

    def deal(self, entity: str) -> Fault:
        """Return the next fault for a record of ``entity``."""
        left = self._left.get(entity)
        if not left:
            left = self._left[entity] = list(self._kinds[entity])
            self._rng.shuffle(left)
        return left.pop()
