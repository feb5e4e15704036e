"""Addresses of pages with a viewer's choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

#: A choice in an address: one value, several, or none.
Value = str | Sequence[str] | None


def link(page: str, choices: Mapping[str, Value]) -> str:
    """Return the address of a page with these choices, relative to any page; a choice without a value is left out."""
    query = urlencode({name: value for name, value in choices.items() if value}, doseq=True, errors="backslashreplace")
    return f"{page}?{query}" if query else page
