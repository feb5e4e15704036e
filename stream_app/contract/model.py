"""The compiled contract: frozen values that the judge, the producers and the store read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

#: The least share of valid records that is good, where a contract names none.
DEFAULT_TARGET = 0.98


class Severity(StrEnum):
    """The effect of a finding: ``error`` rejects the record, ``warning`` goes into its headers, ``info`` is only counted."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Dimension(StrEnum):
    """The quality dimensions of ODCS v3.1."""

    ACCURACY = "accuracy"
    COMPLETENESS = "completeness"
    CONFORMITY = "conformity"
    CONSISTENCY = "consistency"
    COVERAGE = "coverage"
    TIMELINESS = "timeliness"
    UNIQUENESS = "uniqueness"


RuleKind = Literal[
    "record", "structure", "library", "condition", "required", "reference", "unique",
    "contradiction", "outlier", "deviation", "stale", "before", "window",
]  # fmt: skip
LogicalType = Literal["string", "integer", "number", "boolean", "timestamp", "date"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One check with a stable id.

    ``id`` is ``field.check`` for structure (``quantity.minimum``), ``record.check`` for the record as bytes
    (``record.syntax``) and the contract's own ``id`` for quality rules. ``path`` is ``$.quantity`` or, for the record, ``$``.
    """

    id: str
    dimension: Dimension
    severity: Severity
    path: str
    message: str
    kind: RuleKind
    field: str | None = None
    impact: str | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """One property of an entity, as ODCS declares it, and its cleaning steps. ``event_time``: it dates the records."""

    name: str
    type: LogicalType
    required: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    classification: str | None = None
    clean: tuple[str, ...] = ()
    spellings: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    event_time: bool = False

    @property
    def personal(self) -> bool:
        """True if the value is masked wherever people see records."""
        return (self.classification or "public").lower() not in {"public", "internal"}


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key: ``field`` of this entity names ``to_field`` of ``to_entity``."""

    rule: Rule
    field: str
    to_entity: str
    to_field: str


@dataclass(frozen=True, slots=True)
class Unique:
    """A key that must be unique.

    ``among="kept"``: among records that were not rejected (``primaryKey``, ``unique``).
    ``among="seen"``: among all earlier records (the library metric ``duplicateValues``).
    With ``contradiction``, a record that repeats the key with different content breaks that rule instead of ``rule``.
    ``within_ms``: how far apart in event time two records are compared at least; ``None``: for ever.
    """

    rule: Rule
    fields: tuple[str, ...]
    among: Literal["kept", "seen"]
    contradiction: Rule | None = None
    within_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ValueRule:
    """A library metric on one field (``nullValues``, ``missingValues``, ``invalidValues``)."""

    rule: Rule
    field: str
    metric: Literal["nullValues", "missingValues", "invalidValues"]
    values: tuple[Any, ...] = ()
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """A CEL expression that must be true of a record."""

    rule: Rule
    expression: str
    fields: tuple[str, ...]
    uses_as_of: bool


@dataclass(frozen=True, slots=True)
class Required:
    """Fields that are required when a CEL expression is true of the record."""

    rule: Rule
    fields: tuple[str, ...]
    when: Condition


@dataclass(frozen=True, slots=True)
class Outlier:
    """A number far from the median of its group, in robust standard deviations of its logarithm (``judge.baseline``).

    ``levels`` name what makes a group, finest first: a field of the record, then ``field.other``, fields of the referenced
    record; ``()`` is the whole entity. The first level with at least ``minimum`` learned values decides.
    """

    rule: Rule
    field: str
    levels: tuple[str, ...]
    threshold: float
    minimum: int


@dataclass(frozen=True, slots=True)
class Deviation:
    """A number further than ``tolerance`` (relative, 0.5 is 50 %) from ``value`` of the record that ``reference`` refers to."""

    rule: Rule
    field: str
    reference: str
    value: str
    tolerance: float


@dataclass(frozen=True, slots=True)
class Stale:
    """An update older, by event time, than the known one of the same ``key``."""

    rule: Rule
    key: str


@dataclass(frozen=True, slots=True)
class Before:
    """A moment more than ``tolerance_ms`` before the referenced record first appeared (its event time)."""

    rule: Rule
    field: str
    reference: str
    tolerance_ms: int


@dataclass(frozen=True, slots=True)
class WindowRule:
    """A threshold on a metric of a window (an hour of event time), checked when the window is final.

    ``metric`` is ``rowCount``, the records that are no longer pending, or a library metric: the findings of the rule
    ``counted``. That is ``rule.id`` itself, of kind ``window`` and severity ``info``, so that it makes no record invalid; or
    ``field.required``, where nulls of a required field are counted. ``breach`` is the severity of a broken threshold.
    The observed value (a number of rows, or a share between 0 and 1 when ``unit`` is ``percent``) must satisfy
    ``low`` and ``high``, in the same unit: inclusive unless ``exclusive_low`` / ``exclusive_high``. ``outside`` inverts the
    test: the value must not lie from ``low`` to ``high`` (``mustNotBe``, ``mustNotBeBetween``).
    """

    rule: Rule
    metric: Literal["rowCount", "nullValues", "missingValues", "invalidValues", "duplicateValues"]
    unit: Literal["rows", "percent"]
    breach: Severity
    counted: str
    low: float | None = None
    high: float | None = None
    exclusive_low: bool = False
    exclusive_high: bool = False
    outside: bool = False

    def keeps(self, observed: float) -> bool:
        """True if a window whose metric is ``observed`` keeps the threshold."""
        above = self.low is None or observed > self.low or (observed == self.low and not self.exclusive_low)
        below = self.high is None or observed < self.high or (observed == self.high and not self.exclusive_high)
        return (above and below) is not self.outside


@dataclass(frozen=True, slots=True)
class Revenue:
    """The amount of a record: the fields ``quantity`` × ``price``, in ``currency`` (ISO 4217).

    Attributes:
        currency: of totals; None: each currency has a total of its own.
        currency_field: the field that names a record's currency; None: all are in ``currency``.
        rates: currency → what one unit of it is worth in ``currency``; empty: nothing is converted.
    """

    quantity: str
    price: str
    currency: str | None
    currency_field: str | None = None
    rates: Mapping[str, float] = field(default_factory=dict)

    @property
    def fields(self) -> frozenset[str]:
        """The fields without which an amount is not known."""
        return frozenset(name for name in (self.quantity, self.price, self.currency_field) if name)


@dataclass(frozen=True, slots=True)
class Match:
    """Records whose ``field`` has one of ``values``."""

    field: str
    values: frozenset[str]


@dataclass(frozen=True, slots=True)
class Contract:
    """One entity's compiled contract."""

    entity: str
    id: str
    version: str
    file: Path
    description: str
    fields: tuple[Field, ...]
    rules: Mapping[str, Rule]
    references: tuple[Reference, ...] = ()
    uniques: tuple[Unique, ...] = ()
    values: tuple[ValueRule, ...] = ()
    conditions: tuple[Condition, ...] = ()
    required: tuple[Required, ...] = ()
    outliers: tuple[Outlier, ...] = ()
    deviations: tuple[Deviation, ...] = ()
    stale: Stale | None = None
    before: tuple[Before, ...] = ()
    windows: tuple[WindowRule, ...] = ()
    key: str | None = None
    event_time: str | None = None
    segments: tuple[str, ...] = ()
    #: Segment field → the values that a contract lists for it; ``load_shop`` adds them.
    listed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    revenue: Revenue | None = None
    customer: str | None = None
    order: str | None = None
    #: The records that are an order, or a part of one; None: all except cancellations.
    sale: Match | None = None
    cancellation: Match | None = None
    #: The id of a visit, if the records are visits to the shop; each clean one is a visit of its own.
    visit: str | None = None
    unknown_fields: Severity | None = Severity.WARNING
    tombstones: Literal["delete", "reject"] = "delete"
    rejects_late: bool = False
    target: float = DEFAULT_TARGET
    weight: float = 1.0

    def field(self, name: str) -> Field:
        """Return the field ``name``; KeyError if the contract does not declare it."""
        for candidate in self.fields:
            if candidate.name == name:
                return candidate
        raise KeyError(name)

    @property
    def name_and_version(self) -> str:
        """Return ``id:version``, the value of the ``headrace.contract`` header."""
        return f"{self.id}:{self.version}"


@dataclass(frozen=True, slots=True)
class Shop:
    """A folder of contracts; ``contracts`` lists referenced entities before those that refer to them."""

    folder: Path
    contracts: Mapping[str, Contract]
    currency: str | None = None

    @property
    def sources_file(self) -> Path:
        """Return the path of ``sources.yaml``, by which producers read files and APIs."""
        return self.folder / "sources.yaml"
