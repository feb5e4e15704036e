"""A command that a report, a page, a message or the docs name exists."""

from __future__ import annotations

import re
from pathlib import Path

import click

from headrace.cli.main import cli
from tests.support.paths import DOCS, ROOT

NAMED = re.compile(r"[`(]headrace ([a-z][a-z-]+)")
SOURCES = [
    ROOT / "README.md",
    *DOCS.rglob("*.md"),
    *(path for room in ("headrace", "producers", "stream_app", "dashboard", "reporter") for path in (ROOT / room).rglob("*.*")),
]


def named(path: Path) -> set[str]:
    return set(NAMED.findall(path.read_text("utf-8"))) if path.suffix in {".py", ".md", ".yaml", ".lua", ".html"} else set()


def test_every_named_command_exists() -> None:
    found = {(str(path.relative_to(ROOT)), command) for path in SOURCES for command in named(path)}
    assert {command for _, command in found} >= {"rejudge", "status", "rebuild"}
    assert [one for one in sorted(found) if cli.get_command(click.Context(cli), one[1]) is None] == []
