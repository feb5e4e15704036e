"""CEL expressions over the columns of a source, compiled and type-checked before anything is read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from cel_expr_python import cel

from stream_app.contract.identifiers import identifiers, renamed

_TEXTS = re.compile(r"""[rR]?("{3}|'{3}).*?\1|[rR]?"(?:\\.|[^"\\])*"|[rR]?'(?:\\.|[^'\\])*'""", re.DOTALL)
_WORDS = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
_NAME = re.compile(r"[A-Za-z_]\w*")

#: The variable that maps names to columns, for names that are not CEL identifiers: ``row["Customer ID"]``.
ROW = "row"


class ExpressionError(Exception):
    """The expression does not compile; the message is one line and names the character."""


class Failed(Exception):
    """The expression has no value for this row (a text that is not a number, a column that is null …)."""


def words(expression: str) -> frozenset[str]:
    """Return the identifiers of an expression, without string literals and members."""
    return frozenset(_WORDS.findall(_TEXTS.sub("''", expression)))


class Expression:
    """One compiled expression over named columns.

    Args:
        text: CEL. A column whose name is an identifier is a variable; `row["…"]` reaches every column.
        columns: the columns of the source.
        typed: cells have JSON types, and columns are dynamically typed; else every cell is a text.

    Raises:
        ExpressionError: the text does not compile, or names an unknown column.
    """

    def __init__(self, text: str, columns: Sequence[str], *, typed: bool) -> None:
        used = words(text)
        self.text = text
        self.reads = tuple(columns) if ROW in used else tuple(c for c in columns if c in used)
        self._row = ROW in used
        one = cel.Type.DYN if typed else cel.Type.STRING
        others = identifiers([name for name in columns if _NAME.fullmatch(name) and name in used and name != ROW])
        variables = dict.fromkeys(others.values(), one)
        if self._row:
            variables[ROW] = cel.Type.Map(cel.Type.STRING, one)
        self._names = tuple((others[name], name) for name in self.reads if name in others)
        try:
            self._compiled = cel.NewEnv(variables=variables).compile(renamed(text, others))
        except Exception as error:  # noqa: BLE001 - the library raises several kinds, none documented
            line = renamed(str(error).splitlines()[0], {other: name for name, other in others.items()})
            line = re.sub(r"^INVALID_ARGUMENT: ERROR: <input>:\d+:(\d+): ", r"character \1: ", line)
            line = line.removesuffix(" (in container '')")
            if "undeclared reference" in line:
                line += f"; columns: {', '.join(columns)}"
            if "null_type" in line and not typed:
                line += "; an empty text becomes null, so write '' for null"
            raise ExpressionError(line) from None
        self.is_condition = self._compiled.return_type() in (cel.Type.BOOL, cel.Type.DYN)

    def evaluate(self, values: tuple[Any, ...]) -> Any:
        """Return the value for one row, given the cells of ``reads`` in that order.

        Raises:
            Failed: the expression has no value for this row.
        """
        row = dict(zip(self.reads, values, strict=True))
        data: dict[str, Any] = {other: row[name] for other, name in self._names}
        if self._row:
            data[ROW] = row
        try:
            result = self._compiled.eval(data=data)
            failed = result.type() == cel.Type.ERROR
            value = None if failed else result.value()
        except Exception as error:
            raise Failed from error
        if failed or not isinstance(value, str | int | float | bool | list | dict | datetime | timedelta | None):
            raise Failed
        return value.total_seconds() if isinstance(value, timedelta) else value
