"""CEL text → Python text, for conditions whose meaning is the same in both languages beyond doubt.

The source is text only; ``conditions`` compiles it. Everything that is not listed here is refused, so that the CEL library
evaluates it: null, integer arithmetic (CEL's overflows), division, negation, ``a < b < c``, string order, lists, macros.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass

#: Prefix of the fields in the source, so that no field hides a name of the generated code.
FIELD = "field_"
#: The moment of judging, which CEL calls ``as_of``.
AS_OF = f"{FIELD}as_of"

_TYPES = {"integer": "int", "number": "double", "string": "string", "timestamp": "timestamp"}
_CONSTANTS: dict[type, str] = {int: "int", float: "double", str: "string"}
_EQUALITY: dict[type[ast.cmpop], str] = {ast.Eq: "==", ast.NotEq: "!="}
_ORDER: dict[type[ast.cmpop], str] = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_ARITHMETIC: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}
_METHODS = {"startsWith": "startswith", "endsWith": "endswith"}
_DURATION = re.compile(r"(\d{1,6})(h|m|s)")
_UNITS = {"h": 3600, "m": 60, "s": 1}


@dataclass(frozen=True, slots=True)
class Translation:
    """A condition as a Python expression, true where the condition is.

    Attributes:
        record: over the fields of one record and ``as_of_ms``; it calls ``shifted(as_of_ms, seconds)``.
        row: the same over one row of columns; ``as_of`` with a duration is a column of its own, ``shift_0`` …
        shifts: the seconds that each ``shift_…`` adds to the moment of judging.
        durations: name → seconds of the ``timedelta`` that both may name.
    """

    record: str
    row: str
    shifts: tuple[int, ...]
    durations: Mapping[str, int]


def translate(expression: str, types: Mapping[str, str]) -> Translation | None:
    """Translate a condition that the CEL library has type-checked; ``None`` where the library has to evaluate it.

    Args:
        expression: the condition.
        types: field → logical type, of the fields that are never null.
    """
    source = _with_python_operators(expression)
    if source is None:
        return None
    translator = _Translator(types)
    try:
        whole = translator.visit(ast.parse(source, mode="eval").body)
    except (SyntaxError, _Untranslatable, RecursionError):
        return None
    if whole.type != "bool":
        return None
    return Translation(whole.record, whole.row, tuple(translator.shifts), translator.durations)


def _with_python_operators(expression: str) -> str | None:
    """Replace ``&&`` and ``||`` outside of strings; ``None`` for syntax that Python reads in another way or not at all."""
    if "\\" in expression or '"""' in expression or "'''" in expression:
        return None
    parts = re.split(r"(\"[^\"]*\"|'[^']*')", expression)
    for index in range(0, len(parts), 2):  # the others are strings
        part = parts[index]
        if re.search(r"![^=]|!$|\?|%|//", part):
            return None
        parts[index] = part.replace("&&", " and ").replace("||", " or ").replace("\n", " ")
    return "".join(parts).strip()


class _Untranslatable(Exception):
    """A node that means something else in Python, or may."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A translated part: its CEL type and its source in both forms. ``name``: it is a field or ``as_of``."""

    type: str
    record: str
    row: str
    name: bool = False


class _Translator(ast.NodeVisitor):
    """Translates each kind of node that it knows, and refuses all others."""

    def __init__(self, types: Mapping[str, str]) -> None:
        self.types = types
        self.durations: dict[str, int] = {}
        self.shifts: list[int] = []
        self._compared = 0

    def visit(self, node: ast.AST) -> _Part:
        """Translate one node."""
        part: _Part = super().visit(node)
        return part

    def generic_visit(self, _node: ast.AST) -> _Part:
        raise _Untranslatable

    def visit_Name(self, node: ast.Name) -> _Part:
        kind = "timestamp" if node.id == "as_of" else _TYPES.get(self.types.get(node.id, ""))
        if kind is None:
            raise _Untranslatable
        name = FIELD + node.id
        return _Part(kind, name, name, name=True)

    def visit_Constant(self, node: ast.Constant) -> _Part:
        kind = _CONSTANTS.get(type(node.value))
        if kind is None:
            raise _Untranslatable
        source = ast.unparse(node)
        return _Part(kind, source, source)

    def visit_BoolOp(self, node: ast.BoolOp) -> _Part:
        parts = [self.visit(value) for value in node.values]
        if any(part.type != "bool" for part in parts):
            raise _Untranslatable
        operator = " and " if isinstance(node.op, ast.And) else " or "
        return _Part(
            "bool", f"({operator.join(part.record for part in parts)})", f"({operator.join(part.row for part in parts)})"
        )

    def visit_Compare(self, node: ast.Compare) -> _Part:
        if len(node.ops) != 1:
            raise _Untranslatable
        left, right = self.visit(node.left), self.visit(node.comparators[0])
        equality, order = _EQUALITY.get(type(node.ops[0])), _ORDER.get(type(node.ops[0]))
        if left.type != right.type or left.type == "bool" or not (equality or (order and left.type != "string")):
            raise _Untranslatable
        row = f"({left.row} {equality or order} {right.row})"
        if order and left.type == "timestamp" and left.name:
            return _Part("bool", self._moments(left.record, order, right.record), row)
        return _Part("bool", f"({left.record} {equality or order} {right.record})", row)

    def _moments(self, left: str, order: str, right: str) -> str:
        """Compare two moments by their days first, which mostly differ; all moments are in UTC.

        A comparison of datetimes asks both for their offset. On this way to a verdict pydantic made the datetimes, so that
        each answer is a call of Python; it costs more than the rest of a condition.
        """
        name = f"right_{self._compared}"
        self._compared += 1
        return f"({left}.toordinal() {order[0]} ({name} := {right}).toordinal() or {left} {order} {name})"

    def visit_UnaryOp(self, node: ast.UnaryOp) -> _Part:
        if not (isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant)):
            raise _Untranslatable
        part = self.visit(node.operand)
        return _Part(part.type, f"(-{part.record})", f"(-{part.row})")

    def visit_BinOp(self, node: ast.BinOp) -> _Part:
        left, right, operator = self.visit(node.left), self.visit(node.right), _ARITHMETIC.get(type(node.op))
        if operator and left.type == right.type == "double":
            return _Part("double", f"({left.record} {operator} {right.record})", f"({left.row} {operator} {right.row})")
        if operator in ("+", "-") and (left.type, right.type) == ("timestamp", "duration"):
            if left.record == AS_OF:
                return self._shift(self.durations[right.record] * (1 if operator == "+" else -1))
            return _Part("timestamp", f"({left.record} {operator} {right.record})", f"({left.row} {operator} {right.row})")
        raise _Untranslatable

    def _shift(self, seconds: int) -> _Part:
        """Translate ``as_of`` with a duration, which is the same for many records."""
        if seconds not in self.shifts:
            self.shifts.append(seconds)
        return _Part("timestamp", f"shifted(as_of_ms, {seconds})", f"shift_{self.shifts.index(seconds)}")

    def visit_Call(self, node: ast.Call) -> _Part:
        if node.keywords or len(node.args) != 1:
            raise _Untranslatable
        if isinstance(node.func, ast.Attribute):
            return self._method(self.visit(node.func.value), node.func.attr, self.visit(node.args[0]))
        if isinstance(node.func, ast.Name) and node.func.id == "double":
            number = self.visit(node.args[0])
            if number.type in ("int", "double"):
                return _Part("double", f"float({number.record})", f"float({number.row})")
        if isinstance(node.func, ast.Name) and node.func.id == "duration" and isinstance(node.args[0], ast.Constant):
            match = _DURATION.fullmatch(str(node.args[0].value))
            if match:
                seconds = int(match[1]) * _UNITS[match[2]]
                name = f"duration_{seconds}"
                self.durations[name] = seconds
                return _Part("duration", name, name)
        raise _Untranslatable

    def _method(self, text: _Part, method: str, argument: _Part) -> _Part:
        python = _METHODS.get(method)
        if python is None or not text.type == argument.type == "string":
            raise _Untranslatable
        return _Part("bool", f"{text.record}.{python}({argument.record})", f"{text.row}.{python}({argument.row})")
