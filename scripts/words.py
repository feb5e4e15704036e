"""Find words that are not plain English: ``python scripts/words.py [PATH…]``, by default in the whole project.

Vale reads the same rules (styles/Headrace/) for prose, comments and docstrings. This script needs Python only, and also reads
messages, YAML, and names of functions, classes and variables.
"""

from __future__ import annotations

import ast
import inspect
import io
import os
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
STYLES = ROOT / "styles" / "Headrace"
#: Files in German and French, lists of words, and the rules themselves; what they contain is data.
EXEMPT = {
    "reporter/vocabulary.yaml",
    "reporter/texts/de.yaml",
    "reporter/texts/fr.yaml",
    "scripts/words.py",
    "styles",
    "tests/unit/docs/test_words.py",
}
PROSE = {".md", ".yaml", ".yml", ".toml", ".sh", ""}
#: Words that must not be part of a name that our code defines.
NAMES = re.compile(r"(?:^|_)(place|told|held|trips|seldom|patiently|patience|learner)(?:s|er|ing)?(?=_|$)")


@dataclass(frozen=True, slots=True)
class Rule:
    """One file of styles/Headrace: an expression, its message, and whether it reads docstrings only."""

    name: str
    expression: re.Pattern[str]
    message: str
    docstrings: bool


@dataclass(frozen=True, slots=True)
class Offence:
    """A line that breaks a rule."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


def rules() -> list[Rule]:
    """The rules of styles/Headrace, as Vale reads them."""
    found = []
    for file in sorted(STYLES.glob("*.yml")):
        rule = yaml.safe_load(file.read_text("utf-8"))
        flags = re.IGNORECASE if rule.get("ignorecase") else 0
        words = "|".join(rule.get("tokens") or rule.get("swap") or ())
        expression = rf"\b(?:{words})\b" if words else "|".join(rule["raw"])
        found.append(Rule(file.stem, re.compile(expression, flags), rule["message"], "comment.block" in rule.get("scope", "")))
    return found


def files(paths: list[str]) -> Iterator[Path]:
    """Every file of code or prose below the paths; without paths, of the whole project."""
    ignored = {line.rstrip("/") for line in (ROOT / ".gitignore").read_text("utf-8").splitlines()} | {".git"}
    for start in paths or ["."]:
        for folder, folders, names in os.walk(ROOT / start):
            below = Path(folder).resolve().relative_to(ROOT)
            folders[:] = sorted(name for name in folders if not {name, str(below / name)} & ignored)
            yield from (path for name in sorted(names) if _is_read(path := Path(folder, name)))
        if _is_read(ROOT / start):
            yield ROOT / start


def _is_read(path: Path) -> bool:
    known = path.suffix in {".py", *PROSE} and path.name not in {"LICENSE", "requirements.lock"}
    relative = path.resolve().relative_to(ROOT).as_posix()
    return known and path.is_file() and not any(relative == one or relative.startswith(f"{one}/") for one in EXEMPT)


def offences(path: Path) -> Iterator[Offence]:
    """Every offence of one file."""
    name, text = path.resolve().relative_to(ROOT).as_posix(), path.read_text("utf-8")
    if path.suffix == ".py":
        yield from _python(name, text)
    else:
        prose = _without_code(text) if path.suffix == ".md" else re.sub(r"\b[A-Z_]{3,}\b", "", text)  # variables are not words
        yield from _broken(name, 1, prose, docstring=False)


def _broken(name: str, line: int, text: str, *, docstring: bool) -> Iterator[Offence]:
    text = re.sub(r"``.+?``|`[^`\n]+`", "`…`", text)
    flat = text.replace("\n", " ")  # a phrase may be wrapped
    for rule in _RULES:
        if docstring or not rule.docstrings:
            for found in rule.expression.finditer(flat):
                at = line + text.count("\n", 0, found.start())
                yield Offence(name, at, f"{found.group().strip()!r} ({rule.name})")


def _without_code(text: str) -> str:
    """Markdown with its fenced blocks emptied."""
    return re.sub(r"^ *```.*?^ *```", lambda block: "\n" * block.group().count("\n"), text, flags=re.MULTILINE | re.DOTALL)


def _python(name: str, text: str) -> Iterator[Offence]:
    tree = ast.parse(text)
    docstrings = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node):
            value = node.body[0].value  # type: ignore[attr-defined]
            docstrings.add(id(value))
            yield from _broken(name, value.lineno, inspect.cleandoc(value.value), docstring=True)
        for word in _defined(node):
            if NAMES.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word).lower()):
                yield Offence(name, node.lineno, f"{word!r} (Names)")  # type: ignore[attr-defined]
    if not name.startswith("tests/"):
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and id(node) not in docstrings
                and " " in node.value
            ):
                yield from _broken(name, node.lineno, node.value, docstring=False)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield from _broken(name, token.start[0], token.string, docstring=False)


def _defined(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield node.name
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        yield node.attr


_RULES = rules()


def main(paths: list[str]) -> int:
    """Print every offence and a count by folder; 1 if there is any."""
    counts: dict[str, int] = {}
    for path in files(paths):
        for offence in offences(path):
            print(offence)
            folder = str(Path(offence.path).parent)
            counts[folder] = counts.get(folder, 0) + 1
    for folder, count in sorted(counts.items()):
        print(f"{count:5} {folder}")
    return 1 if counts else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
