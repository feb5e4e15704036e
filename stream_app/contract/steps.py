"""Cleaning steps and spellings that a contract may set for a field. Each check returns a problem or ``None``."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

_TEXT_STEPS = ("nfc", "strip", "collapse", "emptyToNull")
#: Cleaning steps by type. A step of another type would change values that are valid already.
STEPS: Mapping[str, tuple[str, ...]] = {
    "string": (*_TEXT_STEPS, "lower", "upper"),
    "integer": (*_TEXT_STEPS, "number"),
    "number": (*_TEXT_STEPS, "number"),
    "boolean": (*_TEXT_STEPS, "boolean"),
    "timestamp": (*_TEXT_STEPS, "timestamp"),
    "date": (*_TEXT_STEPS, "date"),
}
#: The steps of a field that sets none.
DEFAULT_STEPS: Mapping[str, tuple[str, ...]] = {
    "string": ("nfc", "strip", "collapse", "emptyToNull"),
    "integer": ("strip", "emptyToNull", "number"),
    "number": ("strip", "emptyToNull", "number"),
    "boolean": ("strip", "emptyToNull", "boolean"),
    "timestamp": ("strip", "emptyToNull", "timestamp"),
    "date": ("strip", "emptyToNull", "date"),
}


def unreachable_problem(values: list[Any], steps: tuple[str, ...], spellings: Mapping[str, str]) -> str | None:
    """Return why one of ``values`` never remains after cleaning, so that listing it has no effect; ``None`` if all can."""
    folded = {spelling.casefold(): to for spelling, to in spellings.items()}
    for value in values:
        if not isinstance(value, str):
            continue
        left = as_cleaned(value, steps)
        left = folded.get(left.casefold(), left)
        if left != value:
            return f"{value!r} is cleaned to {left!r} before it is compared; write {left!r}, or change the cleaning"
    return None


def as_cleaned(text: str, steps: tuple[str, ...]) -> str:
    """Apply the steps that change strings, except ``emptyToNull``."""
    for step in steps:
        if step == "strip":
            text = text.strip()
        elif step == "collapse":
            text = re.sub(r"\s+", " ", text)
        elif step == "nfc":
            text = unicodedata.normalize("NFC", text)
        elif step in ("lower", "upper"):
            text = text.lower() if step == "lower" else text.upper()
    return text


def cleaning_problem(kind: str, steps: Any) -> str | None:
    """Return why ``steps`` cannot clean a field of type ``kind``; ``None`` if they can."""
    if not isinstance(steps, list) or any(step not in STEPS[kind] for step in steps):
        return f"clean is not a list of steps for {kind}; supported: {', '.join(STEPS[kind])}"
    if "lower" in steps and "upper" in steps:
        return "clean has both lower and upper; keep one"
    return None


def spellings_problem(kind: str, spellings: Any, steps: tuple[str, ...]) -> str | None:
    """Return why ``spellings`` cannot bring the strings of a field to one spelling; ``None`` if they can."""
    if not isinstance(spellings, dict) or not all(isinstance(to, str) for to in spellings.values()):
        return "spellings does not map strings to strings; quote each"
    if spellings and kind != "string":
        return f"spellings are for fields of type string, and this field is {kind}; remove them"
    folded: dict[str, str] = {}
    for spelling, to in spellings.items():
        if folded.setdefault(spelling.casefold(), to) != to:
            return f"{spelling!r} appears twice in spellings (case does not count); remove one"
    for to in spellings.values():
        if folded.get(to.casefold(), to) != to:
            return f"{to!r} is itself mapped to another spelling; map directly to the last one"
        cased = to.lower() if "lower" in steps else to.upper() if "upper" in steps else to
        if not to.isprintable() or to != " ".join(to.split()) or not to or cased != to:
            return f"{to!r} is not clean; write it as the cleaning steps leave it"
    return None
