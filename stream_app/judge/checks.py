"""What is checked of one record after its structure: values, conditions, and fields required in certain cases."""

from __future__ import annotations

from typing import Any

from pydantic_core import SchemaValidator, core_schema

from stream_app.contract.model import Contract, Required, Rule, ValueRule
from stream_app.errors import DocumentError
from stream_app.judge.conditions import Check, condition_check, holds


def checks_of(contract: Contract) -> list[tuple[Rule, tuple[str, ...], Check]]:
    """The checks of a contract, in the order of their findings: (rule, the fields it reads, whether it is broken).

    A check may only be asked of a record whose ``fields`` keep their structure.
    """
    return [
        *((rule.rule, (rule.field,), value_check(rule)) for rule in contract.values),
        *((rule.rule, rule.fields, condition_check(rule, contract)) for rule in contract.conditions),
        *(
            (rule.rule, tuple(dict.fromkeys((*rule.fields, *rule.when.fields))), required_check(rule, contract))
            for rule in contract.required
        ),
    ]


def value_check(rule: ValueRule) -> Check:
    """Whether a record is one that a library metric counts."""
    name = rule.field
    if rule.metric == "nullValues":
        return lambda values, as_of: values[name] is None
    listed = rule.values
    try:
        listed = frozenset(rule.values)  # type: ignore[assignment]
    except TypeError:
        raise DocumentError(f"{name}: the values of {rule.rule.id} must be plain texts or numbers") from None
    if rule.metric == "missingValues":
        return lambda values, as_of: values[name] in listed
    # The engine of pydantic-core needs linear time; with Python's, a crafted value could stop the worker.
    pattern = SchemaValidator(core_schema.str_schema(pattern=rule.pattern)) if rule.pattern else None

    def invalid(values: dict[str, Any], as_of: int) -> bool:
        value = values[name]
        if value is None:
            return False
        if listed and value not in listed:
            return True
        return pattern is not None and not pattern.isinstance_python(str(value))

    return invalid


def required_check(rule: Required, contract: Contract) -> Check:
    """Whether a field is null although ``when`` is true; where ``when`` cannot be told, nothing is required."""
    names, applies = rule.fields, holds(rule.when, contract)

    def lacking(values: dict[str, Any], as_of: int) -> bool:
        return any(values[name] is None for name in names) and applies(values, as_of)

    return lacking
