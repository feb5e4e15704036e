"""The fields of a hash of counters: their names, and what they hold as a frozen value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted, all time or in one window. Money in minor units; mappings hold only what occurred.

    ``nulls``: optional field → records in which it is null or absent; ``unknown``: name of an unknown field → records.
    ``segments``: segment field → value → ``in``, ``clean``, ``rejected``, ``rev`` (minor units) or ``f:<rule>`` → count;
    windows hold them, totals do not.
    """

    received: int = 0
    clean: int = 0
    rejected: int = 0
    pending: int = 0
    repaired: int = 0
    revenue_minor: int = 0
    findings: Mapping[str, int] = field(default_factory=dict)
    at_risk_minor: Mapping[str, int] = field(default_factory=dict)
    repairs: Mapping[str, int] = field(default_factory=dict)
    nulls: Mapping[str, int] = field(default_factory=dict)
    unknown: Mapping[str, int] = field(default_factory=dict)
    segments: Mapping[str, Mapping[str, Mapping[str, int]]] = field(default_factory=dict)


_PLAIN = {
    "in": "received",
    "clean": "clean",
    "rejected": "rejected",
    "pending": "pending",
    "repaired": "repaired",
    "rev": "revenue_minor",
}


#: Prefix of a hash field → the mapping of ``Counts`` that holds what follows the prefix.
_KINDS = {"f:": "findings", "v:": "at_risk_minor", "r:": "repairs", "n:": "nulls", "u:": "unknown"}


def text(value: Any) -> str:
    """Return a Redis string, whether or not the client decodes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def parse(raw: Mapping[Any, Any], *, segments: bool = True) -> Counts:
    """Read a hash of integers; times are left out, and so are segments where they are not wanted.

    Raises:
        ValueError: a field does not hold an integer; the message names the field.
    """
    plain: dict[str, int] = {}
    mapped: dict[str, dict[str, int]] = {name: {} for name in _KINDS.values()}
    split: dict[str, dict[str, dict[str, int]]] = {}
    for raw_name, raw_value in raw.items():
        kind, name, segment = _place(raw_name)
        if not kind or (segment is not None and not segments):
            continue
        try:
            number = int(raw_value)
        except ValueError:
            raise ValueError(f"field {text(raw_name)} does not hold an integer") from None
        if segment is not None:
            if number:
                split.setdefault(segment[0], {}).setdefault(segment[1], {})[name] = number
        elif kind == "plain":
            plain[name] = number
        elif number:
            mapped[kind][name] = number
    return _counts(plain, mapped, split)


@lru_cache(16_384)
def _place(raw: Any) -> tuple[str, str, tuple[str, str] | None]:
    """Where a hash field belongs: (mapping of ``Counts``, ``plain`` or nothing; name there; (field, value) of a segment)."""
    name = text(raw)
    if (kind := _KINDS.get(name[:2])) is not None:
        return kind, name[2:], None
    if name.startswith("s|"):
        # A rule's id has no bar in it; a segment's value may have any.
        _, field_name, what, value = (*name.split("|", 3), "", "")[:4]
        return "segments", what, (field_name, value)
    return ("plain", _PLAIN[name], None) if name in _PLAIN else ("", "", None)


def _counts(plain: dict[str, int], mapped: dict[str, dict[str, int]], split: dict[str, dict[str, dict[str, int]]]) -> Counts:
    return Counts(
        **plain,
        findings=mapped["findings"],
        at_risk_minor=mapped["at_risk_minor"],
        repairs=mapped["repairs"],
        nulls=mapped["nulls"],
        unknown=mapped["unknown"],
        segments=split,
    )


def add(parts: Iterable[Counts], *, segments: bool = True) -> Counts:
    """The sum of several counts; that of their segments only where it is wanted."""
    plain = dict.fromkeys(_PLAIN.values(), 0)
    mapped: dict[str, dict[str, int]] = {name: {} for name in _KINDS.values()}
    split: dict[str, dict[str, dict[str, int]]] = {}
    for part in parts:
        for name in plain:
            plain[name] += getattr(part, name)
        for name, into in mapped.items():
            _add(into, getattr(part, name))
        for field_name, values in part.segments.items() if segments else ():
            held = split.setdefault(field_name, {})
            for value, numbers in values.items():
                _add(held.setdefault(value, {}), numbers)
    return _counts(plain, mapped, split)


def _add(into: dict[str, int], more: Mapping[str, int]) -> None:
    for name, number in more.items():
        into[name] = into.get(name, 0) + number


#: What a HyperLogLog or a set counts distinct values of.
Distinct = Literal["customers", "orders"]
#: Segment values beyond the cap are counted together under this name.
OTHER = "(other)"
