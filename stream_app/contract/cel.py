"""CEL expressions over an entity's fields, type-checked and compiled by the CEL library."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

from cel_expr_python import cel

from stream_app.contract.identifiers import GRAMMAR, identifiers, renamed, variables_in
from stream_app.contract.model import Field

#: The moment of judging.
AS_OF = "as_of"
#: CEL has no type for a day; a day becomes its first moment in UTC.
_TYPES = {
    "string": cel.Type.STRING,
    "integer": cel.Type.INT,
    "number": cel.Type.DOUBLE,
    "boolean": cel.Type.BOOL,
    "timestamp": cel.Type.TIMESTAMP,
    "date": cel.Type.TIMESTAMP,
}
_QUOTED = r"(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
#: Functions of one string constant: their pattern, an expression that is true if the constant is valid, and the cure.
_LITERALS = (
    (re.compile(rf"\bduration\(\s*{_QUOTED}\s*\)"), "duration({0}) == duration({0})",
     "write hours, minutes or seconds, such as 24h (CEL has no days)"),
    (re.compile(rf"\btimestamp\(\s*{_QUOTED}\s*\)"), "timestamp({0}) == timestamp({0})",
     "write a moment such as 2026-01-05T00:00:00Z"),
    (re.compile(rf"\.matches\(\s*{_QUOTED}\s*\)"), "''.matches({0}) in [true, false]", "write a regular expression of RE2"),
)  # fmt: skip

#: Types whose values the library accepts only if declared, so that null needs a program of its own.
MOMENTS = ("timestamp", "date")


def compile_cel(expression: str, fields: Iterable[Field], problem: Any, nulls: Collection[str] = ()) -> Any:
    """Type-check and compile a CEL condition over an entity's fields and ``as_of`` (a timestamp).

    Optional fields may be null, so they are dynamically typed; of those of type timestamp and date, only the ones in
    ``nulls`` may (the library accepts no datetime for a dynamic type). ``problem`` makes an exception of a message.
    """
    known = {field.name: field for field in fields}
    words = variables_in(expression)
    others = cel_names(known.values())
    # Only the fields that the expression mentions: there may be thousands.
    variables = {others[name]: _type(field, null=name in nulls) for name, field in known.items() if name in words}
    variables[AS_OF] = cel.Type.TIMESTAMP
    try:
        compiled = cel.NewEnv(variables=variables).compile(renamed(expression, others))
    except Exception as error:  # noqa: BLE001 - the library raises several kinds, none documented
        first = str(error).splitlines()[0].replace("INVALID_ARGUMENT: ERROR: <input>:", "column ")
        first = renamed(first, {other: name for name, other in others.items() if name in words})
        raise problem(f"the condition is not valid CEL: {first}; {_cure(expression, known)}") from None
    if compiled.return_type() != cel.Type.BOOL and not nulls:
        raise problem("the condition is not true or false; compare its value with another")
    if not nulls:
        _check_literals(expression, problem)
    return compiled


def cel_names(fields: Iterable[Field]) -> dict[str, str]:
    """Return field → the identifier that a compiled condition reads it by."""
    names = [field.name for field in fields]
    return identifiers(names)


def _cure(expression: str, known: Collection[str]) -> str:
    unreadable = sorted(word for word in GRAMMAR & {*known} if re.search(rf"\b{word}\b", expression))
    if unreadable:
        return f"correct it, or rename the field {unreadable[0]!r}: CEL reads that as a word of its own"
    return "correct it"


def _check_literals(expression: str, problem: Any) -> None:
    """Refuse constants that the library would only reject for each record, such as ``duration("1d")``."""
    for pattern, probe, cure in _LITERALS:
        for match in pattern.finditer(expression):
            compiled = cel.NewEnv(variables={}).compile(probe.format(match[1]))
            if compiled.eval(data={}).value() is not True:
                raise problem(f"the condition is not valid CEL: {match[0].lstrip('.')} has no value; {cure}")


def _type(field: Field, *, null: bool) -> Any:
    certain = field.required or (field.type in MOMENTS and not null)
    return _TYPES[field.type] if certain else cel.Type.DYN
