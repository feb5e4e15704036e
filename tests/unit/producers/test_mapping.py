"""`sources.yaml` is read strictly: a typo is an error with its line and its cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from producers.sources.mapping import read_mapping
from producers.sources.open import open_sources
from stream_app.contract import load_shop
from stream_app.errors import DocumentError, SourceError
from tests.support.paths import ROOT


def mapping_error(folder: Path, text: str) -> str:
    (folder / "sources.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(DocumentError) as caught:
        read_mapping(load_shop(folder))
    return str(caught.value)


FIELDS = "sources:\n  - name: a\n    match: x\n    feeds:\n      - entity: orders\n        fields:\n          "
FEED = "    feeds: [{entity: orders}]\n"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("source: []\n", 1, "did you mean 'sources'"),
        ("sources: []\n", 1, "at least one entry"),
        ("sources:\n  - name: a\n    match: x\n    feed: []\n", 4, "did you mean 'feeds'"),
        ("sources:\n  - match: x\n" + FEED, 2, "'name' is missing"),
        ("sources:\n  - name: a\n" + FEED, 2, "either `match`"),
        ("sources:\n  - name: a\n    match: x\n    url: http://h/\n" + FEED, 2, "either `match`"),
        ("sources:\n  - name: a\n    match: x\n    format: xml\n" + FEED, 4, "formats: csv, jsonl"),
        ("sources:\n  - name: a\n    match: x\n    feeds: [{entity: order}]\n", 4, "customers, products, visits, orders"),
        (FIELDS + "quantty: {column: Q}\n", 7, "did you mean 'quantity'"),
        (FIELDS + "quantity: {column: Q, constant: 3}\n", 7, "exactly one of column, cel, constant"),
        (FIELDS + 'quantity: {column: Q, format: "%Y"}\n', 7, "only for timestamps, and quantity is of type integer"),
        ("sources:\n  - name: a\n    match: x\n    timezone: Mars/Base\n" + FEED, 4, "unknown time zone 'Mars/Base'"),
        ("sources:\n  - name: a\n    match: x\n    encoding: utf-9\n" + FEED, 4, "unknown encoding 'utf-9'"),
        ("sources:\n  - name: a\n    match: x\n    delimiter: ';;'\n" + FEED, 4, "one character"),
        ("sources:\n  - name: a\n    url: ftp://h/\n" + FEED, 3, "http://"),
        ("sources:\n  - name: a\n    url: http://u:secret@h/\n" + FEED, 3, "HEADRACE_SOURCE_TOKEN"),
        ("sources:\n  - name: a\n    match: x\n    items: /a\n" + FEED, 4, "only for a source with `url`"),
        ("sources:\n  - name: a\n    url: http://h/\n    items: a\n" + FEED, 4, "JSON pointer"),
        ("sources:\n  - name: a\n    url: http://h/\n    pages: {cursor: /c}\n" + FEED, 4, "needs `parameter`"),
        ("sources:\n  - name: a\n    match: x\n" + FEED + "  - name: a\n    match: y\n" + FEED, 5, "appears twice"),
        ("sources:\n  - name: a\n    match: x\n    feeds: [{entity: orders}, {entity: orders}]\n", 4, "two feeds for orders"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line_and_cure(shop_dir: Path, text: str, line: int, says: str) -> None:
    message = mapping_error(shop_dir, text)
    assert says in message
    assert f"sources.yaml:{line}:" in message
    assert "secret" not in message


def opening_error(folder: Path, fields: str, feed: str = "") -> str:
    (folder / "sources.yaml").write_text(
        f"sources:\n  - name: a\n    match: '*.csv'\n    feeds:\n      - entity: orders\n{feed}"
        f"        fields:\n          quantity: {fields}\n",
        encoding="utf-8",
    )
    data = folder / "a.csv"
    data.write_text("Id,Quantity\n1,2\n", encoding="utf-8")
    with pytest.raises(SourceError) as caught:
        open_sources(load_shop(folder), [data])
    return str(caught.value)


def test_a_column_that_is_not_there_is_named_with_those_that_are(shop_dir: Path) -> None:
    message = opening_error(shop_dir, "{column: Qty}")
    assert "sources.yaml:7" in message
    assert "no column 'Qty'" in message
    assert "Id, Quantity" in message


def test_an_expression_that_names_no_column_is_an_error_before_anything_is_read(shop_dir: Path) -> None:
    message = opening_error(shop_dir, '{cel: "int(Qty)"}')
    assert "sources.yaml:7" in message
    assert "'Qty'" in message
    assert "Id, Quantity" in message


def test_an_expression_is_type_checked(shop_dir: Path) -> None:
    assert "no matching overload" in opening_error(shop_dir, '{cel: "Quantity + 1"}')
    assert "write '' for null" in opening_error(shop_dir, "{cel: \"Id == '' ? Quantity : null\"}")


def test_a_condition_must_be_true_or_false(shop_dir: Path) -> None:
    assert "true or false" in opening_error(shop_dir, "{column: Quantity}", "        where: Quantity + Id\n")


def test_both_shipped_mappings_are_valid() -> None:
    for folder in (None, ROOT / "examples" / "online-retail"):
        assert read_mapping(load_shop(folder))


def test_a_shop_without_sources_takes_files_named_after_its_entities(shop_dir: Path, tmp_path: Path) -> None:
    (shop_dir / "sources.yaml").unlink(missing_ok=True)
    file = tmp_path / "products-2026.csv"
    file.write_text("product_id,category,unit_price\n1,Toys,2.5\n", encoding="utf-8")
    (source,) = open_sources(load_shop(shop_dir), [file])
    assert [record.value for record in source] == [b'{"product_id":1,"category":"Toys","unit_price":2.5}']


def test_a_file_that_nothing_knows_is_an_error_that_lists_what_is_known(shop_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "stuff.csv"
    file.write_text("product_id\n1\n", encoding="utf-8")
    with pytest.raises(SourceError, match=r"--entity.*customers, products, visits, orders.*orders\*"):
        open_sources(load_shop(shop_dir), [file])
    (source,) = open_sources(load_shop(shop_dir), [file], only="products")
    assert source.entities == ("products",)
    assert any("category, unit_price" in remark for remark in source.remarks)


def test_an_entity_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(SourceError, match="customers, products, visits, orders"):
        open_sources(load_shop(None), ["x.csv"], only="order")
