"""CEL conditions as code. The library type-checks and defines every expression; the plainest run as Python.

A comparison of numbers costs the library 3 µs a record, mostly for converting values; the same comparison as a Python
lambda costs a tenth. Only expressions whose meaning is beyond doubt the same are translated (no null, no integer
arithmetic that could overflow, no division, no negation, one comparison at a time); a property test compares both.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

from stream_app.contract.cel import MOMENTS, compile_cel
from stream_app.contract.model import Condition, Contract
from stream_app.errors import DocumentError
from stream_app.judge.cel.translator import LOCAL, Quick, Shifts, names_of, translation
from stream_app.windows.calendar import moment, shifted

#: A rule as code: the cleaned values and the as-of moment (ms) → whether the rule is broken.
Broken = Callable[[dict[str, Any], int], bool]
#: The same of many records: columns of its fields and as-of moments (ms) → the places of those that break it.
Everywhere = Callable[[Sequence[list[Any]], list[int]], list[int]]


def condition_check(condition: Condition, contract: Contract) -> Broken:
    """Compile a condition to a check; whatever the translator does not know runs in the CEL library."""
    return translated(condition, contract) or by_library(condition, contract)


def holds(condition: Condition, contract: Contract) -> Broken:
    """A check that is true where the condition is; what cannot be told counts as false."""
    plain = translated(condition, contract)
    if plain is not None:
        return lambda values, as_of: not plain(values, as_of)
    result = _evaluated(condition, contract)
    return lambda values, as_of: result(values, as_of) is True


def by_library(condition: Condition, contract: Contract) -> Broken:
    """The condition as the CEL library evaluates it."""
    result, fields = _evaluated(condition, contract), condition.fields

    def broken(values: dict[str, Any], as_of: int) -> bool:
        told = result(values, as_of)
        if told is True:
            return False
        # As in an SQL CHECK: what cannot be told because a field is null is not broken.
        return told is False or not any(values[name] is None for name in fields)

    return broken


def _evaluated(condition: Condition, contract: Contract) -> Callable[[dict[str, Any], int], Any]:
    """What the CEL library makes of the values and the as-of moment: true, false or an error."""
    fields, uses_as_of = condition.fields, condition.uses_as_of
    known = {field.name: field for field in contract.fields}
    days = [name for name in fields if known[name].type == "date"]
    moments = [name for name in fields if known[name].type in MOMENTS and not known[name].required]

    @cache
    def compiled(nulls: frozenset[str]) -> Any:
        return compile_cel(condition.expression, contract.fields, DocumentError, nulls).eval

    always = compiled(frozenset())

    def result(values: dict[str, Any], as_of: int) -> Any:
        data = {name: values[name] for name in fields}
        for name in days:
            if data[name] is not None:
                data[name] = datetime(data[name].year, data[name].month, data[name].day, tzinfo=UTC)
        if uses_as_of:
            data["as_of"] = moment(as_of)
        evaluate = compiled(frozenset(name for name in moments if data[name] is None)) if moments else always
        return evaluate(data=data).value()

    return result


def translated(condition: Condition, contract: Contract) -> Broken | None:
    """The condition as a Python function of one record, or ``None`` where it is not plain enough."""
    known = translation(condition, contract)
    if known is None:
        return None
    tree, translator = known
    code = ast.unparse(ast.fix_missing_locations(Quick(translator.ordered).visit(tree)))
    reads = "".join(f"{LOCAL}{name} = values[{name!r}]\n  " for name in condition.fields)
    if f"{LOCAL}as_of" in code:
        reads += f"{LOCAL}as_of = moment(as_of_ms)\n  "
    body = (
        f"def broken(values, as_of_ms):\n try:\n  {reads}return not ({code})\n"
        " except OverflowError:\n  return library(values, as_of_ms)\n"
    )
    scope = names_of(translator) | {"moment": moment, "shifted": shifted, "library": by_library(condition, contract)}
    exec(compile(body, f"<{condition.rule.id}>", "exec"), scope)  # noqa: S102 - built from a checked tree of known nodes
    check: Broken = scope["broken"]
    return check


def condition_places(condition: Condition, contract: Contract) -> Everywhere | None:
    """The condition as a Python function of columns, or ``None`` where it is not plain enough.

    Moments of canonical records share one zone object, so that comparing them asks nobody for an offset.
    """
    known = translation(condition, contract)
    if known is None or not condition.fields:
        return None
    tree, translator = known
    shifts = Shifts()
    code = ast.unparse(ast.fix_missing_locations(shifts.visit(tree)))
    names = [f"{LOCAL}{name}" for name in condition.fields]
    uses_as_of = f"{LOCAL}as_of" in code
    extra = [*([f"{LOCAL}as_of"] if uses_as_of else []), *shifts.names]
    row = ", ".join([*names, *extra])
    body = f"def places(rows):\n return [place for place, ({row},) in enumerate(rows) if not ({code})]\n"
    scope = names_of(translator) | {"enumerate": enumerate}
    exec(compile(body, f"<{condition.rule.id}>", "exec"), scope)  # noqa: S102 - as above
    places: Callable[[Any], list[int]] = scope["places"]
    one_by_one = condition_check(condition, contract)

    def everywhere(columns: Sequence[list[Any]], as_of: list[int]) -> list[int]:
        try:
            moments = [_each(as_of, moment)] if uses_as_of else []
            shifted_by = [_each(as_of, partial(shifted, seconds=seconds)) for seconds in shifts.seconds]
            return places(zip(*columns, *moments, *shifted_by, strict=True))
        except OverflowError:
            rows = (dict(zip(condition.fields, row, strict=True)) for row in zip(*columns, strict=True))
            return [place for place, values in enumerate(rows) if one_by_one(values, as_of[place])]

    return everywhere


def _each(as_of: list[int], of: Callable[[int], datetime]) -> list[datetime]:
    """What ``of`` makes of each; neighbours mostly share their as-of moment."""
    known = {one: of(one) for one in set(as_of)}
    return [known[one] for one in as_of]
