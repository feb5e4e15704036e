"""Stray and unclosed quotes in CSV: every row of the file becomes one record, and none takes another in."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.sources.csv_quotes import read_stray
from producers.sources.open import open_sources
from stream_app.contract import load_shop

HEADER = "customer_id,name,email,country\n"


def row(key: int, name: str = "Ada") -> str:
    return f"{key},{name},c{key}@example.org,France\n"


def read(folder: Path, text: str) -> tuple[list[str], list[str]]:
    """Return what becomes of each row (the name of a record, or the line itself), and the notes."""
    path = folder / "customers.csv"
    path.write_text(HEADER + text, encoding="utf-8")
    (source,) = open_sources(load_shop(None), [path])
    values = [(record.value or b"").decode() for record in source]
    found = [json.loads(value)["name"] if value.startswith("{") else value for value in values]
    return found, [note.rpartition("customers.csv: ")[2] for note in source.notes()]


@pytest.mark.parametrize("second", ['"Bob', '"Bob"', '"Bob ""B"""', 'Bob"'])
def test_a_quote_that_another_row_seems_to_close_costs_one_line(tmp_path: Path, second: str) -> None:
    text = row(1) + row(2, '"Ada') + row(3) + row(4, second) + row(5)
    found, notes = read(tmp_path, text)
    expected = {'"Bob': row(4, '"Bob').strip(), '"Bob"': "Bob", '"Bob ""B"""': 'Bob "B"', 'Bob"': 'Bob"'}[second]
    assert found == ["Ada", row(2, '"Ada').strip(), "Ada", expected, "Ada"]
    assert notes == [f"lines that are not CSV: {2 if expected.startswith('4') else 1}"]


def test_where_every_cell_is_quoted_too(tmp_path: Path) -> None:
    text = "".join(f'"{key}","{name}","c{key}@example.org","France"\n' for key, name in ((1, "Ada"), (2, "Bob"), (3, "Cy")))
    found, _ = read(tmp_path, text.replace('"Bob"', '"Bob'))
    assert found == ["Ada", '"2","Bob,"c2@example.org","France"', "Cy"]


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ('Ada 12" disc', 'Ada 12" disc'),
        ('"Ada 12"" disc"', 'Ada 12" disc'),
        ('"Ada 12" disc"', 'Ada 12" disc'),
        ('"a "b" c, d"', 'a "b" c, d'),
        ('"Ada" ', "Ada"),
        (r'"Ada \"the first\" Byron"', 'Ada "the first" Byron'),
        (r'"Ada \", Byron"', 'Ada ", Byron'),
        (r'"C:\new "x""', None),
        (r'"C:\new "x" y"', r'C:\new "x" y'),
        (r'"C:\dir\"', "C:\\dir\\"),
    ],
)
def test_a_stray_quote_is_text_or_the_line_is_rejected_whole(tmp_path: Path, cell: str, name: str | None) -> None:
    found, _ = read(tmp_path, row(1) + row(2, cell) + row(3))
    assert found == ["Ada", row(2, cell).strip() if name is None else name, "Ada"]


def test_rows_of_several_lines_are_still_one_record(tmp_path: Path) -> None:
    found, notes = read(tmp_path, row(1, '"Ada,\nCountess,\nof Lovelace"') + row(2, '"12, rue ""X"",\n75001 Paris, France"'))
    assert found == ["Ada,\nCountess,\nof Lovelace", '12, rue "X",\n75001 Paris, France']
    assert notes == []


@given(st.lists(st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"])), min_size=2, max_size=5))
def test_well_formed_lines_read_the_same(cells: list[str]) -> None:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="").writerow([cell.replace("\\", "/") for cell in cells])
    assert read_stray(out.getvalue(), ",", len(cells)) == [cell.replace("\\", "/") for cell in cells]


def test_a_line_of_quotes_takes_no_time() -> None:
    assert read_stray('"' * 100_001 + "x", ",", 4) is None
    assert read_stray('"' + '\\"" ' * 30_000, ",", 4) is None
