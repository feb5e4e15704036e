"""Text from elsewhere on its way to the page: shown as it is, never read as Markdown, HTML or a spreadsheet formula."""

from __future__ import annotations

import unicodedata

#: Characters that Markdown, as Streamlit reads it, may take for something else.
_MARKDOWN = "\\`*_{}[]()#+!|$~<>:-"
#: First characters that make a spreadsheet take a cell for a formula (OWASP: CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def visible(value: object) -> str:
    """The text of a value; what cannot be drawn (control characters, halves of surrogate pairs) as an escape."""
    text = str(value)
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(letter) for letter in text)


def _escape(letter: str) -> str:
    if letter not in "\n\t" and unicodedata.category(letter) in {"Cc", "Cs"}:
        return f"\\x{ord(letter):02x}" if ord(letter) < 256 else f"\\u{ord(letter):04x}"
    return letter


def sentence(problem: str) -> str:
    """What an error says, as a sentence; names of settings and topics keep their letters."""
    first = problem.split(" ", 1)[0]
    return f"{problem[:1].upper()}{problem[1:]}." if first.isalpha() and first.islower() else f"{problem}."


def plain(text: object) -> str:
    """Text for a place that reads Markdown: short labels only, because Markdown folds white space."""
    return "".join(f"\\{letter}" if letter in _MARKDOWN else letter for letter in visible(text))


def cell(value: object) -> object:
    """A value for a CSV cell: text that a spreadsheet would run as a formula gets an apostrophe before it."""
    if isinstance(value, str):
        text = visible(value)
        return f"'{text}" if text.lstrip(" \u00a0\u200b").startswith(_FORMULA) else text
    return value
