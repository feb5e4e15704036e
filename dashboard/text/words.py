"""Foreign text made safe to show: never read as Markdown, HTML or a spreadsheet formula."""

from __future__ import annotations

import unicodedata

#: Characters with a meaning in Streamlit's Markdown.
_MARKDOWN = "\\`*_{}[]()#+!|$~<>:-"
#: First characters that make a spreadsheet run a cell as a formula (OWASP: CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def visible(value: object) -> str:
    """Return a value's text; control characters and lone surrogates, which cannot be drawn, are escaped."""
    text = str(value)
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(letter) for letter in text)


def _escape(letter: str) -> str:
    if letter not in "\n\t" and unicodedata.category(letter) in {"Cc", "Cs"}:
        return f"\\x{ord(letter):02x}" if ord(letter) < 256 else f"\\u{ord(letter):04x}"
    return letter


def sentence(problem: str) -> str:
    """Return an error message as a sentence; names of settings and topics keep their case."""
    first = problem.split(" ", 1)[0]
    return f"{problem[:1].upper()}{problem[1:]}." if first.isalpha() and first.islower() else f"{problem}."


def plain(text: object) -> str:
    """Escape text for a widget that reads Markdown: short labels only, because Markdown folds white space."""
    return "".join(f"\\{letter}" if letter in _MARKDOWN else letter for letter in visible(text))


def cell(value: object) -> object:
    """Return a value for a CSV cell: an apostrophe precedes text that a spreadsheet would run as a formula."""
    if isinstance(value, str):
        text = visible(value)
        return f"'{text}" if text.lstrip(" \u00a0\u200b").startswith(_FORMULA) else text
    return value
