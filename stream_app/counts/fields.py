"""The fields of a hash of counters: the one module that writes and parses their names.

A worker counts into fields such as ``in`` or ``f:price.type``; windows and totals in Redis are hashes of them. Readers get
``Counts``. A field is one of the plain ones below, a kind of counter with a name behind its prefix, or a counter of one
value of a segment: ``s|<segment field>|<what>|<value>``, where ``what`` is a plain field or that of a finding.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import msgspec

from stream_app.contract.segments import NONE, OTHER, SegmentText

#: Records by outcome, records that cleaning changed, and the revenue of clean records in minor units.
RECEIVED, CLEAN, REJECTED, PENDING, REPAIRED, REVENUE = "in", "clean", "rejected", "pending", "repaired", "rev"
#: Tombstones that deleted a record; and the records in batches that could not be read, each batch counted as one rejected.
DELETED, UNREADABLE = "deleted", "unreadable"
#: Records that came after their window was final.
LATE = "late"
#: Clean records with a finding of severity ``warning``.
WARNED = "warned"
#: What the records with findings are worth (minor units), and those of them whose quantity or price cannot be believed.
AT_RISK, UNVALUED = "risk", "unvalued"
#: Those of the latter that are clean, and the revenue of them that is counted (minor units).
DOUBTED, DOUBTED_REVENUE = "doubt", "doubtrev"
#: Clean records that are an order or a part of one, and those that cancel one; only where the contract tells them apart.
SOLD, CANCELLED = "sold", "cancelled"
#: Not counters, and in the totals only (ms since the epoch): the time that the entity's stream has reached, and when the last
#: batch was applied.
EVENT_TIME, APPLIED_AT = "et", "at"


#: Kinds of distinct values.
Distinct = Literal["customers", "orders"]
#: Distinct customers and orders ever are counted exactly up to here; beyond, their number is an estimate (HyperLogLog).
DISTINCT_EXACT = 100_000

_FINDING, _VALUE, _REPAIR, _NULL, _UNKNOWN, _DIMENSION, _SEGMENT = "f:", "v:", "r:", "n:", "u:", "d:", "s|"
_REVENUE_IN, _RISK_IN = "m:", "k:"
#: Field → attribute of ``Counts``.
PLAIN = {
    RECEIVED: "received",
    CLEAN: "clean",
    REJECTED: "rejected",
    PENDING: "pending",
    REPAIRED: "repaired",
    REVENUE: "revenue_minor",
    DELETED: "deleted",
    UNREADABLE: "unreadable",
    LATE: "late",
    WARNED: "warned",
    AT_RISK: "risk_minor",
    UNVALUED: "unvalued",
    DOUBTED: "doubted",
    DOUBTED_REVENUE: "doubted_minor",
    SOLD: "sold",
    CANCELLED: "cancelled",
}
#: The same within a segment: field → attribute of ``SegmentCounts``.
SEGMENT_PLAIN = {name: PLAIN[name] for name in (RECEIVED, CLEAN, REJECTED, REVENUE)}
#: Prefix → the mapping of ``Counts`` that holds what follows it.
_KINDS = {
    _FINDING: "findings",
    _VALUE: "at_risk_minor",
    _REPAIR: "repairs",
    _NULL: "nulls",
    _UNKNOWN: "unknown",
    _DIMENSION: "dimensions",
    _REVENUE_IN: "revenue_by",
    _RISK_IN: "risk_by",
}


# --- writing ----------------------------------------------------------------------------------------------------------


def finding(rule: str) -> str:
    """Return the field of a rule's findings."""
    return _FINDING + rule


def value(rule: str) -> str:
    """Return the field of the value (minor units) of the records in which a rule found something."""
    return _VALUE + rule


def repair(step: str) -> str:
    """Return the field of a cleaning step, ``<field>.<step>``."""
    return _REPAIR + step


def null(name: str) -> str:
    """Return the field of the records in which an optional field is null or absent."""
    return _NULL + name


def unknown(name: str) -> str:
    """Return the field of the records that have a field unknown to the contract."""
    return _UNKNOWN + name


def dimension(name: str) -> str:
    """Return the field of the records with an error or a warning of a quality dimension."""
    return _DIMENSION + name


def revenue_in(currency: str) -> str:
    """Return the field of the revenue of clean records in one currency (its minor units)."""
    return _REVENUE_IN + currency


def risk_in(currency: str) -> str:
    """Return the field of what the records with findings are worth in one currency (its minor units)."""
    return _RISK_IN + currency


@lru_cache(16_384)
def segment(name: str, what: str, text: SegmentText) -> str:
    """Return the field that counts ``what`` (a plain field or a finding's) of one value of a segment field.

    Neither a segment field nor a rule's id has a ``|`` in it; the value may have any.
    """
    return f"{_SEGMENT}{name}|{what}|{text}"


# --- reading ----------------------------------------------------------------------------------------------------------


# It cannot be part of a circle. A dashboard keeps many of them, and need not look through all of these after each refresh.
class SegmentCounts(msgspec.Struct, frozen=True, gc=False):
    """Counts of one value of a segment field; ``findings``: rule → findings."""

    received: int = 0
    clean: int = 0
    rejected: int = 0
    revenue_minor: int = 0
    findings: Mapping[str, int] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of one entity, all time or in one window. Money in minor units; mappings hold only what occurred.

    Always ``received = clean + rejected + pending + deleted``. ``unreadable``: records in batches that could not be read;
    such a batch is one rejected record. ``late``: records that came after their window was final; a window that has any was
    restated. ``warned``: clean records with a warning.

    ``risk_minor``: worth of the records with an error or a warning, each once; ``unvalued``: such records whose quantity or
    price is in doubt. Repeats are worth nothing. ``doubted``: those of the latter that are clean, with a warning;
    ``doubted_minor``: the part of ``revenue_minor`` that comes from them.

    ``findings`` and ``at_risk_minor``: by rule; ``repairs``: by ``field.step``; ``nulls``: optional field → records in
    which it is null or absent; ``unknown``: name of an unknown field → records; ``dimensions``: quality dimension → records
    with an error or a warning of it; ``segments``: segment field → value → counts. Windows hold segments, totals do not.

    ``sold`` and ``cancelled``: clean records that are an order and that cancel one, if the contract tells them apart.
    ``revenue_by`` and ``risk_by``: currency → what ``revenue_minor`` and ``risk_minor`` are without conversion, in its own
    minor units, of contracts that name the field of the currency.
    """

    received: int = 0
    clean: int = 0
    rejected: int = 0
    pending: int = 0
    repaired: int = 0
    revenue_minor: int = 0
    deleted: int = 0
    unreadable: int = 0
    late: int = 0
    warned: int = 0
    risk_minor: int = 0
    unvalued: int = 0
    doubted: int = 0
    doubted_minor: int = 0
    sold: int = 0
    cancelled: int = 0
    findings: Mapping[str, int] = field(default_factory=dict)
    at_risk_minor: Mapping[str, int] = field(default_factory=dict)
    repairs: Mapping[str, int] = field(default_factory=dict)
    nulls: Mapping[str, int] = field(default_factory=dict)
    unknown: Mapping[str, int] = field(default_factory=dict)
    dimensions: Mapping[str, int] = field(default_factory=dict)
    revenue_by: Mapping[str, int] = field(default_factory=dict)
    risk_by: Mapping[str, int] = field(default_factory=dict)
    segments: Mapping[str, Mapping[str, SegmentCounts]] = field(default_factory=dict)

    @property
    def records(self) -> int:
        """Received records without the tombstones: what quality and shares are measured by."""
        return self.received - self.deleted


class CounterField(NamedTuple):
    """The meaning of a field: an attribute of ``Counts``, or of ``SegmentCounts`` if ``segment`` is set.

    ``attribute``: empty if the field is not a counter; ``name``: what follows the prefix, None of a plain field;
    ``segment``: (segment field, value).
    """

    attribute: str
    name: str | None = None
    segment: tuple[str, str] | None = None


def split(raw: str | bytes) -> CounterField:
    """Return the meaning of a field: the inverse of the writers."""
    return CounterField(*_split(raw))


@lru_cache(16_384)
def _split(raw: str | bytes) -> tuple[str, str | None, tuple[str, str] | None]:
    # A plain tuple: Python takes it apart faster than a named one.
    name = text(raw)
    if (kind := _KINDS.get(name[:2])) is not None:
        return kind, name[2:], None
    if name.startswith(_SEGMENT):
        of, what, of_value = (*name[2:].split("|", 2), "", "")[:3]
        if what.startswith(_FINDING):
            return _KINDS[_FINDING], what[2:], (of, of_value)
        return SEGMENT_PLAIN.get(what, ""), None, (of, of_value)
    return PLAIN.get(name, ""), None, None


def parse(raw: Mapping[Any, Any], *, segments: bool = True) -> Counts:
    """Read a hash of counters, its fields ``str`` or ``bytes``. Times are left out, and so are segments unless wanted.

    Raises:
        ValueError: a counter does not hold an integer of 64 bits; the message names the field.
    """
    sums = _Sums()
    for raw_field, raw_number in raw.items():
        attribute, name, of = _split(raw_field)
        if not attribute or (of is not None and not segments):
            continue
        number = integer(raw_number)
        if number is None:
            raise ValueError(f"field {text(raw_field)} does not hold an integer")
        if not number:
            continue
        if of is not None:
            numbers, findings = sums.segments[of]
            if name is None:
                numbers[attribute] = number
            else:
                findings[name] = number
        elif name is None:
            sums.plain[attribute] = number
        else:
            sums.named[attribute][name] = number
    return sums.counts()


def add(parts: Iterable[Counts], *, segments: bool = True) -> Counts:
    """Return the sum of several counts; that of their segments only if wanted."""
    sums = _Sums()
    for part in parts:
        for attribute in PLAIN.values():
            sums.plain[attribute] = sums.plain.get(attribute, 0) + getattr(part, attribute)
        for attribute, into in sums.named.items():
            _add(into, getattr(part, attribute))
        for of, values in part.segments.items() if segments else ():
            for of_value, counts in values.items():
                numbers, findings = sums.segments[of, of_value]
                for attribute in SEGMENT_PLAIN.values():
                    numbers[attribute] = numbers.get(attribute, 0) + getattr(counts, attribute)
                _add(findings, counts.findings)
    return sums.counts()


class _Sums:
    """Counts in the making: ``named`` by attribute and name, ``segments`` (numbers, findings) by (segment field, value)."""

    __slots__ = ("named", "plain", "segments")

    def __init__(self) -> None:
        self.plain: dict[str, int] = {}
        self.named: dict[str, dict[str, int]] = {attribute: {} for attribute in _KINDS.values()}
        self.segments: defaultdict[tuple[str, str], tuple[dict[str, int], dict[str, int]]] = defaultdict(lambda: ({}, {}))

    def counts(self) -> Counts:
        segments: dict[str, dict[str, SegmentCounts]] = {}
        for (of, of_value), (numbers, findings) in self.segments.items():
            if findings or any(numbers.values()):
                segments.setdefault(of, {})[of_value] = SegmentCounts(**numbers, findings=findings)
        arguments: dict[str, Any] = self.plain | self.named
        return Counts(**arguments, segments=segments)


def _add(into: dict[str, int], more: Mapping[str, int]) -> None:
    """Add up; what adds up to nothing is left out."""
    for name, number in more.items():
        total = into.get(name, 0) + number
        if total:
            into[name] = total
        else:
            into.pop(name, None)


# --- sums of hashes, and the cap on segment values --------------------------------------------------------------------


def totals(windows: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the sum of windows without their segments: what one batch adds to a hash of totals."""
    merged: dict[str, int] = {}
    for window in windows:
        for name, number in window.items():
            if not name.startswith(_SEGMENT):
                merged[name] = merged.get(name, 0) + number
    return merged


class Capped(NamedTuple):
    """One value of a segment field, which is counted by itself only while the segment field has few values.

    ``beyond``: each of its fields → the field that counts it together with the other values beyond the cap.
    """

    field: str
    value: str
    beyond: dict[str, str]


def capped(names: Iterable[str]) -> list[Capped]:
    """Return the segment values in these fields, each once; NONE is not capped."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for name in names:
        if name.startswith(_SEGMENT):
            segment_field, what, of = name[2:].split("|", 2)
            if of != NONE:
                found.setdefault((segment_field, of), {})[name] = segment(segment_field, what, OTHER)
    return [Capped(*of, beyond) for of, beyond in found.items()]


#: The integers that Redis counts with.
_LEAST, _MOST = -(2**63), 2**63 - 1


def integer(raw: Any) -> int | None:
    """Return the integer of 64 bits that a value of Redis holds; None if it holds anything else."""
    try:
        number = int(raw)
    except (TypeError, ValueError):
        return None
    return number if _LEAST <= number <= _MOST else None


def text(raw: Any) -> str:
    """Return a string of Redis, whether or not the client decodes."""
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
