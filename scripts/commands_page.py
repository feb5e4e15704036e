"""Write docs/reference/commands.md from the commands themselves."""

from __future__ import annotations

import importlib
import inspect
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
ABOUT = "Commands print the same texts with `--help`. `scripts/commands_page.py` generates this page."


def group() -> click.Group:
    """The click group of the ``headrace`` command, in the module that pyproject.toml names as its entry point."""
    entry = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]["headrace"]
    found: click.Group = importlib.import_module(entry.partition(":")[0]).cli
    return found


def page() -> str:
    """The page as Markdown."""
    commands = group()
    context = click.Context(commands, info_name="headrace")
    lines = ["# Commands", "", ABOUT]
    for name in sorted(commands.list_commands(context)):
        command = commands.get_command(context, name)
        if command is not None:
            inner = click.Context(command, context, name)
            lines += ["", f"## `headrace {name}`", "", *_section(command, inner)]
            for sub, one in sorted(command.commands.items()) if isinstance(command, click.Group) else ():
                lines += ["", f"### `headrace {name} {sub}`", "", *_section(one, click.Context(one, inner, sub))]
    return "\n".join(lines) + "\n"


def _section(command: click.Command, context: click.Context) -> Iterator[str]:
    usage = " ".join(command.collect_usage_pieces(context))
    yield from ("```text", f"{context.command_path} {usage}", "```", "")
    yield from (line.replace("*", r"\*") for line in inspect.cleandoc(command.help or "").splitlines())
    records = [record for option in command.get_params(context) if (record := option.get_help_record(context)) is not None]
    rows = [f"| `{_cell(names)}` | {_cell(meaning)} |" for names, meaning in records if "--help" not in names]
    if rows:
        yield from ("", "| option | meaning |", "|---|---|", *rows)


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


if __name__ == "__main__":
    (ROOT / "docs" / "reference" / "commands.md").write_text(page(), encoding="utf-8")
