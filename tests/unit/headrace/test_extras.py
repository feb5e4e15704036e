"""Each part of Headrace installs with its extra alone."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from headrace.cli.extras import PACKAGES
from headrace.cli.main import COMMANDS
from tests.support.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
DISTRIBUTIONS = packages_distributions()
OURS = {"headrace", "producers", "stream_app", "dashboard", "reporter"}
#: Extra → modules whose imports it has to cover, with those of the base.
PARTS = {
    "": [f"headrace.cli.{command}" for command in COMMANDS if command not in {"notify", "rejudge", "report", "worker"}],
    "worker": ["headrace.cli.worker", "headrace.cli.notify", "headrace.cli.rejudge"],
    "dashboard": ["headrace.cli.dashboard", "dashboard.app"],
    "report": ["headrace.cli.report"],
    "embedded": ["headrace.cli.demo", "headrace.embedded.kafka"],
}


def file_of(module: str) -> Path | None:
    """The source of one of our modules."""
    path = ROOT / module.replace(".", "/")
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists()), None)


def imports(file: Path) -> Iterator[str]:
    """The modules that a file imports, in functions too."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def third_party(modules: list[str]) -> dict[str, str]:
    """Import name → a module of ours that imports it: of these modules, and of those of ours that they import."""
    left, seen, found = list(modules), set[str](), dict[str, str]()
    while left:
        module = left.pop()
        file = file_of(module)
        if file is None or module in seen:
            continue
        seen.add(module)
        left.append(module.rpartition(".")[0])
        for imported in imports(file):
            top = imported.partition(".")[0]
            if top in OURS:
                left.append(imported)
            elif top not in sys.stdlib_module_names:
                found[top] = module
    return found


@cache
def installed(extra: str) -> set[str]:
    """The distributions that come with an extra, the base and their own dependencies included."""
    left = list(map(Requirement, [*PROJECT["dependencies"], *(PROJECT["optional-dependencies"][extra] if extra else ())]))
    found: set[str] = set()
    while left:
        one = left.pop()
        name = canonicalize_name(one.name)
        if name not in found:
            found.add(name)
            left += [
                further
                for further in map(Requirement, requires(name) or ())
                if further.marker is None or any(further.marker.evaluate({"extra": wanted}) for wanted in ("", *one.extras))
            ]
    return found


def distributions(package: str) -> set[str]:
    """The distributions that have an import package."""
    return {canonicalize_name(name) for name in DISTRIBUTIONS.get(package, ())}


@pytest.mark.parametrize("extra", PARTS)
def test_what_a_part_imports_comes_with_its_extra(extra: str) -> None:
    there = installed(extra)
    lacking = {package: module for package, module in third_party(PARTS[extra]).items() if not distributions(package) & there}
    assert lacking == {}


def test_every_package_of_an_extra_has_its_message() -> None:
    base = installed("")
    imported = {package for modules in PARTS.values() for package in third_party(modules) if not distributions(package) & base}
    for package, (_, extra) in PACKAGES.items():
        assert distributions(package) & installed(extra), package
    assert imported - {"markupsafe"} == PACKAGES.keys()  # Jinja2 brings that one
