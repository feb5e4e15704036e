"""CEL conditions as code. The library type-checks and defines every expression; the plainest run as Python.

A comparison of numbers costs the library 3 µs a record, mostly for converting values; the same comparison as a Python
lambda costs a tenth. Only expressions whose meaning is beyond doubt the same are translated (no null, no integer
arithmetic that could overflow, no division, no negation, one comparison at a time); a property test compares both.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache, partial
from typing import Any

from stream_app.contract.cel import MOMENTS, compile_cel
from stream_app.contract.model import Condition, Contract
from stream_app.errors import DocumentError

#: A rule as code: the cleaned values and the as-of moment (ms) → whether the rule is broken.
Broken = Callable[[dict[str, Any], int], bool]
#: The same of many records: columns of its fields and as-of moments (ms) → the places of those that break it.
Everywhere = Callable[[Sequence[list[Any]], list[int]], list[int]]
#: The library takes the very first microsecond of datetime for infinity, and the last ones for the year 10000.
_FIRST = datetime.min.replace(tzinfo=UTC) + timedelta(milliseconds=1)
_LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_DURATION = re.compile(r"(\d{1,6})(h|m|s)")
_UNITS = {"h": 3600, "m": 60, "s": 1}


@lru_cache(4096)
def moment(milliseconds: int) -> datetime:
    """Milliseconds since the epoch as a UTC datetime; the first or last one where it is beyond what can be told."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return _LAST if milliseconds > 0 else _FIRST


@lru_cache(4096)
def shifted(milliseconds: int, seconds: int) -> datetime:
    """``moment`` and some seconds; OverflowError beyond what can be told."""
    return moment(milliseconds) + timedelta(seconds=seconds)


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
    known = _translation(condition, contract)
    if known is None:
        return None
    tree, translator = known
    code = ast.unparse(ast.fix_missing_locations(_Quick(translator.ordered).visit(tree)))
    reads = "".join(f"{_LOCAL}{name} = values[{name!r}]\n  " for name in condition.fields)
    if f"{_LOCAL}as_of" in code:
        reads += f"{_LOCAL}as_of = moment(as_of_ms)\n  "
    body = (
        f"def broken(values, as_of_ms):\n try:\n  {reads}return not ({code})\n"
        " except OverflowError:\n  return library(values, as_of_ms)\n"
    )
    scope = _scope(translator) | {"moment": moment, "shifted": shifted, "library": by_library(condition, contract)}
    exec(compile(body, f"<{condition.rule.id}>", "exec"), scope)  # noqa: S102 - built from a checked tree of known nodes
    check: Broken = scope["broken"]
    return check


def condition_places(condition: Condition, contract: Contract) -> Everywhere | None:
    """The condition as a Python function of columns, or ``None`` where it is not plain enough.

    Moments of canonical records share one zone object, so that comparing them asks nobody for an offset.
    """
    known = _translation(condition, contract)
    if known is None or not condition.fields:
        return None
    tree, translator = known
    shifts = _Shifts()
    code = ast.unparse(ast.fix_missing_locations(shifts.visit(tree)))
    names = [f"{_LOCAL}{name}" for name in condition.fields]
    uses_as_of = f"{_LOCAL}as_of" in code
    extra = [*([f"{_LOCAL}as_of"] if uses_as_of else []), *shifts.names]
    row = ", ".join([*names, *extra])
    body = f"def places(rows):\n return [place for place, ({row},) in enumerate(rows) if not ({code})]\n"
    scope = _scope(translator) | {"enumerate": enumerate}
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


def _scope(translator: _Translator) -> dict[str, Any]:
    """What generated code may name."""
    durations = {name: itertools.repeat(timedelta(seconds=seconds)).__next__ for name, seconds in translator.durations.items()}
    return {**durations, "float": float, "__builtins__": {"OverflowError": OverflowError}}


def _translation(condition: Condition, contract: Contract) -> tuple[ast.Expression, _Translator] | None:
    """The condition as a Python expression over ``field_…`` names; ``None`` where it is not plain enough."""
    types: dict[str, str] = {field.name: field.type for field in contract.fields if field.required}
    if any(name not in types for name in condition.fields) or "\\" in condition.expression:
        return None
    source = _pythonic(condition.expression)
    if source is None:
        return None
    try:
        tree = ast.parse(source, mode="eval")
        translator = _Translator(types)
        kind = translator.visit(tree.body)
    except (SyntaxError, _NotPlain, RecursionError):
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


class _NotPlain(Exception):
    pass


#: Put before the names of fields, so that none of them hides a name of the generated code.
_LOCAL = "field_"


_PLAIN = {"integer": "int", "number": "double", "string": "string", "timestamp": "timestamp"}


class _Quick(ast.NodeTransformer):
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


class _Shifts(ast.NodeTransformer):
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
        and node.left.id == f"{_LOCAL}as_of"
        and isinstance(duration, ast.Call)
        and isinstance(duration.func, ast.Name)
    ):
        seconds = int(duration.func.id.partition("_")[2])
        return seconds if isinstance(node.op, ast.Add) else -seconds
    return None


def _day(node: ast.expr) -> ast.expr:
    return ast.Call(ast.Attribute(node, "toordinal", ast.Load()), [], [])


class _Translator(ast.NodeVisitor):
    """Returns the CEL type of a node it knows, rewriting conversions in place; raises for anything else."""

    def __init__(self, types: dict[str, str]) -> None:
        self.types = types
        self.durations: dict[str, int] = {}
        #: Comparisons of moments by order.
        self.ordered: set[ast.Compare] = set()

    def generic_visit(self, node: ast.AST) -> str:
        raise _NotPlain

    def visit_Name(self, node: ast.Name) -> str:
        kind = "timestamp" if node.id == "as_of" else _PLAIN.get(self.types.get(node.id, ""))
        if kind is None:
            raise _NotPlain
        node.id = _LOCAL + node.id
        return kind

    def visit_Constant(self, node: ast.Constant) -> str:
        kinds = {int: "int", float: "double", str: "string"}
        kind = kinds.get(type(node.value))
        if kind is None:
            raise _NotPlain
        return kind

    def visit_BoolOp(self, node: ast.BoolOp) -> str:
        if any(self.visit(value) != "bool" for value in node.values):
            raise _NotPlain
        return "bool"

    def visit_Compare(self, node: ast.Compare) -> str:
        if len(node.ops) != 1:
            raise _NotPlain
        left, right = self.visit(node.left), self.visit(node.comparators[0])
        ordered = isinstance(node.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE)
        equal = isinstance(node.ops[0], ast.Eq | ast.NotEq)
        if left != right or left == "bool" or not (equal or (ordered and left != "string")):
            raise _NotPlain
        if ordered and left == "timestamp":
            self.ordered.add(node)
        return "bool"

    def visit_UnaryOp(self, node: ast.UnaryOp) -> str:
        if not (isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant)):
            raise _NotPlain
        return str(self.visit(node.operand))

    def visit_BinOp(self, node: ast.BinOp) -> str:
        left, right = self.visit(node.left), self.visit(node.right)
        if left == right == "double" and isinstance(node.op, ast.Add | ast.Sub | ast.Mult):
            return "double"
        if (left, right) == ("timestamp", "duration") and isinstance(node.op, ast.Add | ast.Sub):
            return "timestamp"
        raise _NotPlain

    def visit_Call(self, node: ast.Call) -> str:
        if node.keywords or len(node.args) != 1:
            raise _NotPlain
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
        raise _NotPlain
