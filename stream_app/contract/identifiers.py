"""Names of fields and columns that CEL takes for its own words: an expression gets another identifier in their stead."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cache

from cel_expr_python import cel

#: Words of CEL's grammar: an expression that has one never names a field.
GRAMMAR = frozenset({"true", "false", "null", "in"})

_TEXT = r"""[rRbB]{0,2}(?:"{3}(?s:.*?)"{3}|'{3}(?s:.*?)'{3}|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
# A string, or an identifier that is neither a member nor the name of a function.
_TOKEN = re.compile(rf"(?P<text>{_TEXT})|(?<![\w.])(?P<word>[A-Za-z_]\w*)(?!\w|\s*\()", re.ASCII)

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def variables_in(expression: str) -> frozenset[str]:
    """Return the identifiers of an expression that can name a variable: no functions, members, strings or CEL's grammar."""
    return frozenset(match["word"] for match in _TOKEN.finditer(expression) if match["word"]) - GRAMMAR


def identifiers(names: Collection[str]) -> dict[str, str]:
    """Return name → the identifier to declare for it in CEL, of the same length where possible.

    It is another one than the name if CEL reserves that (``type``, ``int``, ``if``), so that a condition may name such a field.
    """
    found: dict[str, str] = {}
    for name in names:
        other = name
        if name not in GRAMMAR and _NAME.fullmatch(name) and _is_reserved(name):
            tries = (f"_{name[1:]}", name.upper(), *(f"{name}{'_' * count}" for count in range(1, len(names) + 2)))
            other = next(one for one in tries if one not in names and one not in found.values() and not _is_reserved(one))
        found[name] = other
    return found


def renamed(expression: str, others: Mapping[str, str]) -> str:
    """Return an expression with the variables of ``others`` under their identifiers."""

    def other(match: re.Match[str]) -> str:
        return match[0] if match["word"] is None else others.get(match["word"], match["word"])

    return _TOKEN.sub(other, expression)


@cache
def _is_reserved(name: str) -> bool:
    """True if the library takes a name for a type, or reserves it."""
    try:
        return bool(cel.NewEnv(variables={name: cel.Type.INT}).compile(name).return_type() != cel.Type.INT)
    except Exception:  # noqa: BLE001 - the library raises several kinds, none documented
        return True
