"""A contract's rules on one record as code: values, conditions, and fields that are required in certain cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import SchemaValidator, core_schema

from stream_app.contract.model import Contract, Required, Rule, ValueRule
from stream_app.errors import DocumentError
from stream_app.judge.cel.conditions import ColumnCheck, RecordCheck, applies, column_check, record_check


@dataclass(frozen=True, slots=True)
class Check:
    """One rule of a contract as code.

    Attributes:
        rule: the rule.
        fields: the fields that it reads.
        broken: (cleaned values, as-of ms) → true if the record breaks the rule. Only for records whose ``fields`` keep
            their structure.
    """

    rule: Rule
    fields: tuple[str, ...]
    broken: RecordCheck
    _vectorised: ColumnCheck | None = None

    def broken_indexes(self, columns: Sequence[list[Any]], as_of: list[int]) -> list[int]:
        """Return the ascending indexes of the records that break the rule, from the columns of ``fields``."""
        if self._vectorised is not None:
            return self._vectorised(columns, as_of)
        names, broken = self.fields, self.broken
        rows = zip(*columns, strict=True) if columns else ((),) * len(as_of)
        return [index for index, row in enumerate(rows) if broken(dict(zip(names, row, strict=True)), as_of[index])]


def checks_of(contract: Contract) -> list[Check]:
    """Compile the checks of a contract, in the order of their findings."""
    return [
        *(_value_check(rule) for rule in contract.values),
        *(
            Check(rule.rule, rule.fields, record_check(rule, contract), column_check(rule, contract))
            for rule in contract.conditions
        ),
        *(
            Check(rule.rule, tuple(dict.fromkeys((*rule.fields, *rule.when.fields))), _required_check(rule, contract))
            for rule in contract.required
        ),
    ]


def _value_check(rule: ValueRule) -> Check:
    """Compile a library metric: a record breaks it if the metric counts the record."""
    name, counts = rule.field, _counts(rule)

    def vectorised(columns: Sequence[list[Any]], _as_of: list[int]) -> list[int]:
        (column,) = columns
        if rule.metric == "nullValues":
            return [index for index, value in enumerate(column) if value is None] if None in column else []
        # Values repeat: ask once for each distinct one.
        counted = {value for value in set(column) if counts(value)}
        return [index for index, value in enumerate(column) if value in counted] if counted else []

    return Check(rule.rule, (name,), lambda values, _as_of: counts(values[name]), vectorised)


def _counts(rule: ValueRule) -> Callable[[Any], bool]:
    """Return the function that is true for the values that the metric counts."""
    if rule.metric == "nullValues":
        return lambda value: value is None
    listed = rule.values
    try:
        listed = frozenset(rule.values)  # type: ignore[assignment]
    except TypeError:
        message = f"{rule.field}: the values of {rule.rule.id} are not all strings or numbers; write each as one"
        raise DocumentError(message) from None
    if rule.metric == "missingValues":
        return lambda value: value in listed
    # The engine of pydantic-core needs linear time; with Python's, a crafted value could stop the worker.
    pattern = SchemaValidator(core_schema.str_schema(pattern=rule.pattern)) if rule.pattern else None

    def invalid(value: Any) -> bool:
        if value is None:
            return False
        if listed and value not in listed:
            return True
        return pattern is not None and not pattern.isinstance_python(str(value))

    return invalid


def _required_check(rule: Required, contract: Contract) -> RecordCheck:
    """Compile a conditional requirement: broken if a field is null and ``when`` is true."""
    names, required = rule.fields, applies(rule.when, contract)

    def broken(values: dict[str, Any], as_of: int) -> bool:
        return any(values[name] is None for name in names) and required(values, as_of)

    return broken
