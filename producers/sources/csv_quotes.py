"""Rows of CSV whose quotes break RFC 4180, read without losing or merging any. Pure."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence

_KEY = re.compile(r'"?\d+"?')


def read_stray(line: str, delimiter: str, width: int) -> list[str] | None:
    """Read one line with stray quotes as ``width`` cells; None if their meaning is unclear.

    A quote inside a quoted cell, which the writer did not double, is text (``"12" disc"``) if no delimiter or end follows it.
    Where the writer escapes quotes with a backslash, those are read.
    """
    readings = [_cells(line, delimiter, escaped=True)] if '\\"' in line else []
    readings.append(_cells(line, delimiter, escaped=False))
    return next((cells for cells in readings if cells is not None and len(cells) == width), None)


def swallows(lines: Sequence[str], cells: int, delimiter: str, width: int) -> bool:
    """True if a row of several lines seems to be several rows, and the first one has a quote that is never closed.

    That is so if the row does not have ``width`` cells and one of its further lines does, or if each line begins with a number,
    as a key, and has ``width`` cells.
    """
    if cells != width:
        return any(len(_strict(line, delimiter)) == width for line in lines[1:])
    parts = [line.split(delimiter) for line in lines]
    return width > 2 and all(len(part) == width and _KEY.fullmatch(part[0]) for part in parts)


def _strict(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return []


def _cells(line: str, delimiter: str, *, escaped: bool) -> list[str] | None:
    """Split a line into cells; None if a quoted cell does not end. ``escaped``: a backslash escapes quotes and itself."""
    end = re.escape(delimiter)
    one = r'\\["\\]|' if escaped else ""
    quoted = re.compile(rf'"((?:{one}""|[^"]|"(?! *(?:{end}|$)))*+)" *(?={end}|$)')
    plain = re.compile(f"[^{end}]*")
    rest, cells, at = line.rstrip("\r\n"), [], 0
    while True:
        match = quoted.match(rest, at) if rest.startswith('"', at) else plain.match(rest, at)
        if match is None:
            return None
        cells.append(_text(match[1], escaped=escaped) if match.re is quoted else match[0])
        at = match.end()
        if at == len(rest):
            return cells
        at += 1


def _text(inside: str, *, escaped: bool) -> str:
    return re.sub(r'\\(["\\])', r"\1", inside) if escaped else inside.replace('""', '"')
