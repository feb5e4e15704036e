"""Plain CEL conditions as Python expressions."""

from __future__ import annotations

import ast
import itertools
import re
from datetime import timedelta
from typing import Any

from stream_app.contract.model import Condition, Contract

_DURATION = re.compile(r"(\d{1,6})(h|m|s)")
_UNITS = {"h": 3600, "m": 60, "s": 1}


def names_of(translator: Translator) -> dict[str, Any]:
    """What generated code may name."""
    durations = {name: itertools.repeat(timedelta(seconds=seconds)).__next__ for name, seconds in translator.durations.items()}
    return {**durations, "float": float, "__builtins__": {"OverflowError": OverflowError}}


def translation(condition: Condition, contract: Contract) -> tuple[ast.Expression, Translator] | None:
    """The condition as a Python expression over ``field_…`` names; ``None`` where it is not plain enough."""
    types: dict[str, str] = {field.name: field.type for field in contract.fields if field.required}
    if any(name not in types for name in condition.fields) or "\\" in condition.expression:
        return None
    source = _pythonic(condition.expression)
    if source is None:
        return None
    try:
        tree = ast.parse(source, mode="eval")
        translator = Translator(types)
        kind = translator.visit(tree.body)
    except (SyntaxError, NotPlain, RecursionError):
        return None
    return (tree, translator) if kind == "bool" else None


def _pythonic(expression: str) -> str | None:
    """CEL's boolean operators as Python's, outside of strings."""
    if '"""' in expression or "'''" in expression:
        return None
    parts = re.split(r"(\"[^\"]*\"|'[^']*')", expression)
    for index in range(0, len(parts), 2):
        part = parts[index]
        if re.search(r"![^=]|!$|\?|%|//", part):
            return None
        parts[index] = part.replace("&&", " and ").replace("||", " or ").replace("\n", " ")
    return "".join(parts).strip()


class NotPlain(Exception):
    pass


#: Put before the names of fields, so that none of them hides a name of the generated code.
LOCAL = "field_"
_PLAIN = {"integer": "int", "number": "double", "string": "string", "timestamp": "timestamp"}


class Quick(ast.NodeTransformer):
    """Makes comparisons of moments quick; all of them are in UTC.

    Comparing two aware datetimes asks both for their offset, which costs more than all else in a condition: their days
    mostly tell. And ``as_of`` with a duration is the same for many records.
    """

    def __init__(self, ordered: set[ast.Compare]) -> None:
        self._ordered = ordered
        self._names = itertools.count()

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        quick = node in self._ordered and isinstance(node.left, ast.Name)
        self.generic_visit(node)
        if not quick:
            return node
        name = f"right_{next(self._names)}"
        operator = node.ops[0]
        strict = ast.Lt() if isinstance(operator, ast.Lt | ast.LtE) else ast.Gt()
        right: ast.expr = ast.NamedExpr(ast.Name(name, ast.Store()), node.comparators[0])
        days = ast.Compare(_day(node.left), [strict], [_day(right)])
        return ast.BoolOp(ast.Or(), [days, ast.Compare(node.left, [operator], [ast.Name(name, ast.Load())])])

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        seconds = _shift(node)
        if seconds is None:
            return node
        return ast.Call(ast.Name("shifted", ast.Load()), [ast.Name("as_of_ms", ast.Load()), ast.Constant(seconds)], [])


class Shifts(ast.NodeTransformer):
    """Makes a column of its own of every ``as_of`` with a duration: it is the same for many records."""

    def __init__(self) -> None:
        self.seconds: list[int] = []

    @property
    def names(self) -> list[str]:
        """The names of the columns that stand for ``seconds``."""
        return [f"shift_{place}" for place in range(len(self.seconds))]

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        seconds = _shift(node)
        if seconds is None:
            return node
        if seconds not in self.seconds:
            self.seconds.append(seconds)
        return ast.Name(f"shift_{self.seconds.index(seconds)}", ast.Load())


def _shift(node: ast.BinOp) -> int | None:
    """The seconds that a node adds to ``as_of``; ``None`` where it is another one."""
    duration = node.right
    if (
        isinstance(node.left, ast.Name)
        and node.left.id == f"{LOCAL}as_of"
        and isinstance(duration, ast.Call)
        and isinstance(duration.func, ast.Name)
    ):
        seconds = int(duration.func.id.partition("_")[2])
        return seconds if isinstance(node.op, ast.Add) else -seconds
    return None


def _day(node: ast.expr) -> ast.expr:
    return ast.Call(ast.Attribute(node, "toordinal", ast.Load()), [], [])


class Translator(ast.NodeVisitor):
    """Returns the CEL type of a node it knows, rewriting conversions in place; raises for anything else."""

    def __init__(self, types: dict[str, str]) -> None:
        self.types = types
        self.durations: dict[str, int] = {}
        #: Comparisons of moments by order.
        self.ordered: set[ast.Compare] = set()

    def generic_visit(self, node: ast.AST) -> str:
        raise NotPlain

    def visit_Name(self, node: ast.Name) -> str:
        kind = "timestamp" if node.id == "as_of" else _PLAIN.get(self.types.get(node.id, ""))
        if kind is None:
            raise NotPlain
        node.id = LOCAL + node.id
        return kind

    def visit_Constant(self, node: ast.Constant) -> str:
        kinds = {int: "int", float: "double", str: "string"}
        kind = kinds.get(type(node.value))
        if kind is None:
            raise NotPlain
        return kind

    def visit_BoolOp(self, node: ast.BoolOp) -> str:
        if any(self.visit(value) != "bool" for value in node.values):
            raise NotPlain
        return "bool"

    def visit_Compare(self, node: ast.Compare) -> str:
        if len(node.ops) != 1:
            raise NotPlain
        left, right = self.visit(node.left), self.visit(node.comparators[0])
        ordered = isinstance(node.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE)
        equal = isinstance(node.ops[0], ast.Eq | ast.NotEq)
        if left != right or left == "bool" or not (equal or (ordered and left != "string")):
            raise NotPlain
        if ordered and left == "timestamp":
            self.ordered.add(node)
        return "bool"

    def visit_UnaryOp(self, node: ast.UnaryOp) -> str:
        if not (isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant)):
            raise NotPlain
        return str(self.visit(node.operand))

    def visit_BinOp(self, node: ast.BinOp) -> str:
        left, right = self.visit(node.left), self.visit(node.right)
        if left == right == "double" and isinstance(node.op, ast.Add | ast.Sub | ast.Mult):
            return "double"
        if (left, right) == ("timestamp", "duration") and isinstance(node.op, ast.Add | ast.Sub):
            return "timestamp"
        raise NotPlain

    def visit_Call(self, node: ast.Call) -> str:
        if node.keywords or len(node.args) != 1:
            raise NotPlain
        argument = node.args[0]
        if isinstance(node.func, ast.Name) and node.func.id == "double" and self.visit(argument) in ("int", "double"):
            node.func.id = "float"
            return "double"
        if isinstance(node.func, ast.Name) and node.func.id == "duration" and isinstance(argument, ast.Constant):
            match = _DURATION.fullmatch(str(argument.value))
            if match:
                name = f"duration_{int(match[1]) * _UNITS[match[2]]}"
                self.durations[name] = int(match[1]) * _UNITS[match[2]]
                node.func.id, node.args = name, []
                return "duration"
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if (
            isinstance(node.func, ast.Attribute)
            and method in ("startsWith", "endsWith")
            and self.visit(node.func.value) == self.visit(argument) == "string"
        ):
            node.func.attr = method.lower()
            return "bool"
        raise NotPlain
