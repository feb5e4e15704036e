"""The counters whose shares of the judged records are followed, and the keys under which a state keeps them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, NamedTuple

from stream_app.contract.model import Contract
from stream_app.counts.fields import REJECTED, Counts, finding, null, split, unknown

Kind = Literal["rejected", "findings", "nulls", "unknown", "text"]
#: Cleaning steps that read a value which came as text.
_FROM_TEXT = ("number", "timestamp", "boolean")
#: Key of a share that is not one counter but the sum of some: the values of a field that came as text.
_TEXT = "t:"


class Source(NamedTuple):
    """The records that are counted: of this kind; ``name``: the rule or the field."""

    kind: Kind
    name: str = ""


@lru_cache(4_096)
def source_of(key: str) -> Source:
    """Return what a key of ``hits`` counts."""
    if key.startswith(_TEXT):
        return Source("text", key[len(_TEXT) :])
    attribute, name, _ = split(key)
    kinds: dict[str, Kind] = {"findings": "findings", "nulls": "nulls", "unknown": "unknown"}
    return Source(kinds.get(attribute, "rejected"), name or "")


def hits(contract: Contract, fields: frozenset[str], counts: Counts, judged: int) -> dict[str, int]:
    """Return the sources that occur in a window: key → records, at most ``judged``.

    Only rules and fields of the contract count, and names that are unknown to it. The keys are counter fields.
    """
    found = {REJECTED: max(0, counts.rejected)}
    named: Iterable[tuple[str, int]] = (
        *((finding(rule), number) for rule, number in counts.findings.items() if rule in contract.rules),
        *((null(field), number) for field, number in counts.nulls.items() if field in fields),
        *((unknown(name), number) for name, number in counts.unknown.items()),
    )
    for key, number in named:
        if number > 0:
            found[key] = min(number, judged)
    for repair, number in counts.repairs.items():
        field, _, step = repair.rpartition(".")
        if step in _FROM_TEXT and field in fields:
            key = _TEXT + field
            found[key] = min(judged, found.get(key, 0) + max(0, number))
    return found
