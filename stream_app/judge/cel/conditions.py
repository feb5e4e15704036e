"""CEL conditions as functions: of one record, and of columns.

The CEL library defines what a condition means. Where ``translator`` has it as Python, that is compiled and run instead:
README.md in this folder says what that buys and what keeps the meaning the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any

from stream_app.contract.cel import MOMENTS, cel_names, compile_cel
from stream_app.contract.identifiers import GRAMMAR
from stream_app.contract.model import Condition, Contract
from stream_app.errors import DocumentError
from stream_app.judge.cel.translator import AS_OF, FIELD, Translation, translate
from stream_app.windows.as_of import UNKNOWN
from stream_app.windows.calendar import moment, shifted

#: (cleaned values, as-of ms) → true if the record breaks the rule.
RecordCheck = Callable[[dict[str, Any], int], bool]
#: The same, vectorised: (columns of the rule's fields, as-of ms by record) → ascending indexes of the records that break it.
ColumnCheck = Callable[[Sequence[list[Any]], list[int]], list[int]]


def record_check(condition: Condition, contract: Contract) -> RecordCheck:
    """Compile a condition to a check of one record. What the as-of moment has to tell is not broken while it is unknown."""
    broken = translated_check(condition, contract) or library_check(condition, contract)
    if not condition.uses_as_of:
        return broken
    return lambda values, as_of: as_of != UNKNOWN and broken(values, as_of)


def applies(condition: Condition, contract: Contract) -> RecordCheck:
    """Compile a condition to a function that is true where the condition is.

    It is false where a null, or an unknown as-of moment, leaves it open.
    """
    broken, needs = translated_check(condition, contract), condition.uses_as_of
    if broken is not None:
        return lambda values, as_of: not (needs and as_of == UNKNOWN) and not broken(values, as_of)
    evaluate = _library(condition, contract)
    return lambda values, as_of: not (needs and as_of == UNKNOWN) and evaluate(values, as_of) is True


def library_check(condition: Condition, contract: Contract) -> RecordCheck:
    """Compile a condition to a check that the CEL library evaluates."""
    evaluate, fields = _library(condition, contract), condition.fields

    def broken(values: dict[str, Any], as_of: int) -> bool:
        result = evaluate(values, as_of)
        if result is True:
            return False
        # As in an SQL CHECK: an error is not a finding if a field is null.
        return result is False or not any(values[name] is None for name in fields)

    return broken


def _library(condition: Condition, contract: Contract) -> Callable[[dict[str, Any], int], Any]:
    """Return the CEL library's function of the values and the as-of moment: true, false or an error."""
    fields, uses_as_of = condition.fields, condition.uses_as_of
    known = {field.name: field for field in contract.fields}
    others = cel_names(contract.fields)
    names = [(others[name], name) for name in fields]
    days = [others[name] for name in fields if known[name].type == "date"]
    moments = [name for name in fields if known[name].type in MOMENTS and not known[name].required]

    @cache  # at most 2 ** len(moments) entries
    def compiled(nulls: frozenset[str]) -> Any:
        return compile_cel(condition.expression, contract.fields, DocumentError, nulls).eval

    always = compiled(frozenset())

    def evaluate(values: dict[str, Any], as_of: int) -> Any:
        data = {other: values[name] for other, name in names}
        for name in days:
            if data[name] is not None:
                data[name] = datetime(data[name].year, data[name].month, data[name].day, tzinfo=UTC)
        if uses_as_of:
            data["as_of"] = moment(as_of)
        program = compiled(frozenset(name for name in moments if values[name] is None)) if moments else always
        return program(data=data).value()

    return evaluate


def translated_check(condition: Condition, contract: Contract) -> RecordCheck | None:
    """Compile a condition to Python; ``None`` where it has no translation."""
    translation = _translation(condition, contract)
    if translation is None:
        return None
    code = translation.record
    reads = "".join(f"{FIELD}{name} = values[{name!r}]\n  " for name in condition.fields)
    if AS_OF in code:
        reads += f"{AS_OF} = moment(as_of_ms)\n  "
    source = (
        f"def check(values, as_of_ms):\n try:\n  {reads}return not {code}\n"
        " except OverflowError:\n  return library(values, as_of_ms)\n"
    )
    names = {"moment": moment, "shifted": shifted, "library": library_check(condition, contract)}
    check: RecordCheck = _compiled(source, condition, translation, names)
    return check


def column_check(condition: Condition, contract: Contract) -> ColumnCheck | None:
    """Compile a condition to Python over columns; ``None`` where it has no translation.

    Moments of canonical records share one zone object, so that comparing them asks neither for its offset.
    """
    translation = _translation(condition, contract)
    if translation is None or not condition.fields:
        return None
    uses_as_of, needs = AS_OF in translation.row, condition.uses_as_of
    extra = [*([AS_OF] if uses_as_of else []), *(f"shift_{index}" for index in range(len(translation.shifts)))]
    row = ", ".join([*(f"{FIELD}{name}" for name in condition.fields), *extra])
    source = f"def check(rows):\n return [index for index, ({row},) in enumerate(rows) if not {translation.row}]\n"
    vectorised: Callable[[Any], list[int]] = _compiled(source, condition, translation, {"enumerate": enumerate})
    one_by_one = record_check(condition, contract)

    def check(columns: Sequence[list[Any]], as_of: list[int]) -> list[int]:
        try:
            moments = [_by_value(as_of, moment)] if uses_as_of else []
            shifts = [_by_value(as_of, partial(shifted, seconds=seconds)) for seconds in translation.shifts]
            found = vectorised(zip(*columns, *moments, *shifts, strict=True))
            return [index for index in found if as_of[index] != UNKNOWN] if needs and found else found
        except OverflowError:
            rows = (dict(zip(condition.fields, row, strict=True)) for row in zip(*columns, strict=True))
            return [index for index, values in enumerate(rows) if one_by_one(values, as_of[index])]

    return check


def _translation(condition: Condition, contract: Contract) -> Translation | None:
    types: dict[str, str] = {
        field.name: field.type for field in contract.fields if field.required and field.name not in GRAMMAR
    }
    return translate(condition.expression, types) if types.keys() >= {*condition.fields} else None


def _compiled(source: str, condition: Condition, translation: Translation, names: dict[str, Any]) -> Any:
    """Compile the function ``check``; its source names nothing but its arguments, ``names``, ``float`` and durations."""
    durations = {name: timedelta(seconds=seconds) for name, seconds in translation.durations.items()}
    scope = {**durations, **names, "float": float, "__builtins__": {"OverflowError": OverflowError}}
    exec(compile(source, f"<{condition.rule.id}>", "exec"), scope)  # noqa: S102 - the source consists of translated parts only
    return scope["check"]


def _by_value(as_of: list[int], of: Callable[[int], datetime]) -> list[datetime]:
    """Apply ``of`` to each, once per distinct value: neighbours mostly share their as-of moment."""
    known = {one: of(one) for one in set(as_of)}
    return [known[one] for one in as_of]
