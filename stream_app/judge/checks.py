"""What is checked of one record after its structure: values, conditions, and fields required in certain cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import SchemaValidator, core_schema

from stream_app.contract.model import Contract, Required, Rule, ValueRule
from stream_app.errors import DocumentError
from stream_app.judge.cel.conditions import Broken, Everywhere, condition_check, condition_places, holds


@dataclass(frozen=True, slots=True)
class Check:
    """One rule of a contract as code.

    Attributes:
        rule: what is broken.
        fields: the fields that it reads.
        broken: (cleaned values, as-of ms) → whether the record breaks the rule. May only be asked of a record whose
            ``fields`` keep their structure.
    """

    rule: Rule
    fields: tuple[str, ...]
    broken: Broken
    _everywhere: Everywhere | None = None

    def places(self, columns: Sequence[list[Any]], as_of: list[int]) -> list[int]:
        """The records that break the rule, by the columns of ``fields``, in order."""
        if self._everywhere is not None:
            return self._everywhere(columns, as_of)
        names, broken = self.fields, self.broken
        rows = zip(*columns, strict=True) if columns else ((),) * len(as_of)
        return [place for place, row in enumerate(rows) if broken(dict(zip(names, row, strict=True)), as_of[place])]


def checks_of(contract: Contract) -> list[Check]:
    """The checks of a contract, in the order of their findings."""
    return [
        *(_value(rule) for rule in contract.values),
        *(
            Check(rule.rule, rule.fields, condition_check(rule, contract), condition_places(rule, contract))
            for rule in contract.conditions
        ),
        *(
            Check(rule.rule, tuple(dict.fromkeys((*rule.fields, *rule.when.fields))), required_check(rule, contract))
            for rule in contract.required
        ),
    ]


def _value(rule: ValueRule) -> Check:
    """Whether a record is one that a library metric counts."""
    name, counted = rule.field, _counted(rule)

    def everywhere(columns: Sequence[list[Any]], as_of: list[int]) -> list[int]:
        (column,) = columns
        if rule.metric == "nullValues":
            return [place for place, value in enumerate(column) if value is None] if None in column else []
        # Texts repeat: each is asked of once.
        found = {value for value in set(column) if counted(value)}
        return [place for place, value in enumerate(column) if value in found] if found else []

    return Check(rule.rule, (name,), lambda values, as_of: counted(values[name]), everywhere)


def _counted(rule: ValueRule) -> Callable[[Any], bool]:
    if rule.metric == "nullValues":
        return lambda value: value is None
    listed = rule.values
    try:
        listed = frozenset(rule.values)  # type: ignore[assignment]
    except TypeError:
        raise DocumentError(f"{rule.field}: the values of {rule.rule.id} must be plain texts or numbers") from None
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


def required_check(rule: Required, contract: Contract) -> Broken:
    """Whether a field is null although ``when`` is true; where ``when`` cannot be told, nothing is required."""
    names, applies = rule.fields, holds(rule.when, contract)

    def lacking(values: dict[str, Any], as_of: int) -> bool:
        return any(values[name] is None for name in names) and applies(values, as_of)

    return lacking
