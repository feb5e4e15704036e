"""Values of segment fields as they are counted, kept, sent and shown: by name only if a contract lists them. Pure.

A field may hold anything: a shifted column puts a person's name where the country should be. So a value leaves the record only
as a ``SegmentText``, which nothing but ``SegmentNames`` makes: the value itself if a contract lists it, else a number that is
the same wherever this value stands in this field. The number is computed and not given out, so that it is the same in every
worker, and after a rebuild of the store.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NewType

from stream_app.contract.formats import FORMATS

if TYPE_CHECKING:
    from stream_app.contract.model import Contract

SegmentText = NewType("SegmentText", str)
#: The text of records that have no value, and the one under which values beyond the cap are counted together.
NONE, OTHER = SegmentText("(none)"), SegmentText("(other)")
#: Characters of a value that are kept.
_LENGTH = 80
#: Digits of a number: two of a field's 200 values have the same one in 2 of a million shops.
_DIGITS = 10
_NUMBER = re.compile(rf"#[0-9]{{{_DIGITS}}}")


class SegmentNames:
    """The texts of one entity's segment values; ``listed``: segment field → the values that a contract lists for it."""

    def __init__(self, listed: Mapping[str, Collection[str]]) -> None:
        self._listed = {name: frozenset(values) for name, values in listed.items()}

    def text(self, name: str, value: Any) -> SegmentText:
        """Return the text of a value of the segment field ``name``.

        The store knows a value of a referenced record (``customer_id.country``) by its text, which stays what it is.
        """
        if value is None:
            return NONE
        found = str(value)
        if found in self._listed.get(name, ()):
            return SegmentText(found[:_LENGTH])
        if "." in name and is_number(found):
            return SegmentText(found)
        return SegmentText(_number(name.rpartition(".")[2], found))

    def kept(self, name: str, value: Any) -> Any:
        """Return what is kept of a field of a record that others refer to: its strings are only counted and grouped by."""
        return self.text(name, value) if isinstance(value, str) else value


def is_number(text: str) -> bool:
    """True if the text stands for a value that no contract lists."""
    return _NUMBER.fullmatch(text) is not None


def name_of(field: str, value: str, *, listed: bool) -> str:
    """Return the name of a counted value: itself if a contract lists it, else its number, as ``SegmentNames`` has it.

    So a text that is stored from the time when its contract still listed it becomes its number.
    """
    if listed or value in {NONE, OTHER} or is_number(value):
        return value
    return _number(field.rpartition(".")[2], value)


def in_words(field: str, value: str) -> str:
    """Return the name of a value inside a sentence that may leave out its field: ``Germany``, ``country #2071464708``."""
    return f"{field.rpartition('.')[2]} {value}" if is_number(value) else value


@lru_cache(16_384)
def _number(name: str, value: str) -> str:
    """Return the number of a value: of one field, so that it says nothing of the same value in others."""
    digest = blake2b(f"{name}\0{value}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return f"#{int.from_bytes(digest) % 10**_DIGITS:0{_DIGITS}d}"


def listed_values(contract: Contract, name: str) -> frozenset[str]:
    """Return all values that a contract lists for a field: by rules, roles and spellings, a format with a list, or the type."""
    field, revenue = contract.field(name), contract.revenue
    rules = [rule for rule in contract.values if rule.field == name and rule.metric != "nullValues"]
    found = {str(value) for rule in rules for value in rule.values if value is not None} | {*field.spellings.values()}
    for role in (contract.sale, contract.cancellation):
        if role is not None and role.field == name:
            found |= role.values
    if revenue is not None and revenue.currency_field == name:
        found |= {*revenue.rates}
    form = FORMATS.get(field.options.get("format", "")) if field.type == "string" else None
    if form is not None and form.listed is not None:
        found |= form.listed()
    if field.type == "boolean":
        found |= {str(True), str(False)}
    return frozenset(found)


def listed_segments(contract: Contract, contracts: Mapping[str, Contract]) -> dict[str, frozenset[str]]:
    """Return segment field → the values that are listed for it: by the contract of the entity whose field it is."""
    to = {reference.field: reference.to_entity for reference in contract.references}
    found: dict[str, frozenset[str]] = {}
    for segment in contract.segments:
        near, dot, far = segment.partition(".")
        of = contracts[to[near]] if dot else contract
        found[segment] = listed_values(of, far if dot else near)
    return found
