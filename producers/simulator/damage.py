"""Ways to damage a record: functions from its fields to broken bytes."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from producers.record import json_value, to_bytes

Fields = Mapping[str, Any]
Damage = Callable[[Fields, random.Random], bytes]


def dump(fields: Fields) -> bytes:
    """Return the compact JSON of a record."""
    return to_bytes(json_value(dict(fields)))


def replaced(name: str, value: Any) -> Damage:
    """Replace the value of a field by ``value``."""
    return lambda fields, rng: dump({**fields, name: value})


def without(name: str) -> Damage:
    """Remove a field."""
    return lambda fields, rng: dump({key: value for key, value in fields.items() if key != name})


def drawn(name: str, draw: Callable[[random.Random], Any]) -> Damage:
    """Replace the value of a field by a random one."""
    return lambda fields, rng: dump({**fields, name: draw(rng)})


def changed(name: str, change: Callable[[Any], Any]) -> Damage:
    """Replace the value of a field by a function of it."""
    return lambda fields, rng: dump({**fields, name: change(fields[name])})


def cut_off(fields: Fields, rng: random.Random) -> bytes:
    """Cut the JSON off at a random byte."""
    whole = dump(fields)
    return whole[: rng.randint(1, len(whole) - 1)]


def invalid_utf8(fields: Fields, rng: random.Random) -> bytes:
    """Put two bytes into a text that are not UTF-8."""
    return dump(fields).replace(b'":"', b'":"\xff\xfe', 1)


def repeated_key(name: str) -> Damage:
    """Repeat a field at the end of the object."""
    return lambda fields, rng: dump(fields)[:-1] + b',"%s":%s}' % (name.encode(), json_value(fields[name]).encode())


def nested(fields: Fields, rng: random.Random) -> bytes:
    """Add a field that is nested a thousand levels deep."""
    return dump(fields)[:-1] + b',"note":' + b"[" * 1000 + b"]" * 1000 + b"}"


def years_later(fields: Fields, rng: random.Random) -> bytes:
    """Move the date of an order 2 to 20 years ahead."""
    year = int(fields["order_date"][:4]) + rng.randint(2, 20)
    return dump({**fields, "order_date": f"{year:04d}-06-15{fields['order_date'][10:]}"})


def off_list(price: float, rng: random.Random) -> float:
    """Return three to five times ``price``, or a fifth to a third of it."""
    return round(max(0.01, price * (rng.uniform(3.0, 5.0) if rng.random() < 0.5 else rng.uniform(0.2, 0.33))), 2)


def two_dots(text: str) -> str:
    """Double the first dot."""
    return text.replace(".", "..", 1)


def another_country(text: str) -> str:
    """Return a country that is not ``text``."""
    return "Canada" if text != "Canada" else "Norway"


def huge_order(fields: Fields, rng: random.Random) -> bytes:
    """Make quantity and price possible each, and their product impossible."""
    return dump({**fields, "quantity": rng.randint(5_000, 10_000), "price": float(rng.randint(300, 90_000))})


def nan_price(fields: Fields, rng: random.Random) -> bytes:
    """Replace the price by NaN."""
    return dump({**fields, "price": float("nan")})
