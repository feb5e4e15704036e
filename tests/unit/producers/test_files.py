"""Files of every format and compression become records, and no row is lost."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producers.record import RawRecord
from producers.sources import csv_file
from producers.sources.open import open_sources
from producers.sources.source import Source, merged
from stream_app.contract import load_shop
from stream_app.errors import SourceError
from stream_app.judge import Judge
from stream_app.windows.as_of import UNKNOWN
from tests.support.paths import RETAIL

HEADER = "order_id,customer_id,product_id,quantity,price,order_date\n"
LINE = "1,17,101,6,2.55,2026-01-05 08:26:00\n"
VALUE = b'{"order_id":1,"customer_id":17,"product_id":101,"quantity":6,"price":2.55,"order_date":"2026-01-05T08:26:00Z"}'
AT = 1767601560000


def opened(path: Path, only: str | None = None, shop: Path | None = None) -> Source:
    (source,) = open_sources(load_shop(shop), [path], only=only)
    return source


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def packed_zip(path: Path, data: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("orders", data)


def packed_zstd(path: Path, data: bytes) -> None:
    with pa.CompressedOutputStream(str(path), "zstd") as stream:
        stream.write(data)


PACKERS: dict[str, Callable[[Path, bytes], Any]] = {
    "": lambda path, data: path.write_bytes(data),
    ".gz": lambda path, data: path.write_bytes(gzip.compress(data)),
    ".bz2": lambda path, data: path.write_bytes(bz2.compress(data)),
    ".xz": lambda path, data: path.write_bytes(lzma.compress(data)),
    ".zst": packed_zstd,
    ".zip": packed_zip,
}


@pytest.mark.parametrize("ending", PACKERS)
@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
def test_every_compression_of_every_text_format_is_read(tmp_path: Path, kind: str, ending: str) -> None:
    text = {"csv": HEADER + LINE, "tsv": (HEADER + LINE).replace(",", "\t"), "jsonl": VALUE.decode() + "\n"}[kind]
    path = tmp_path / f"orders.{kind}{ending}"
    PACKERS[ending](path, text.encode())
    assert list(opened(path)) == [RawRecord("orders", b"17", VALUE, AT)]


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "order_id": [1, 2], "customer_id": pa.array([17, None], pa.int64()), "product_id": ["101", "102"],
            "quantity": [6.0, 2.5], "price": [2.55, float("nan")],
            "order_date": [datetime(2026, 1, 5, 8, 26, tzinfo=UTC), None],
        }
    )  # fmt: skip
    pq.write_table(table, tmp_path / "orders.parquet")
    source = opened(tmp_path / "orders.parquet")
    assert source.total == 2
    first, second = source
    assert json.loads(first.value) == {
        "order_id": 1, "customer_id": 17, "product_id": "101", "quantity": 6.0, "price": 2.55,
        "order_date": "2026-01-05T08:26:00Z",
    }  # fmt: skip
    assert (first.key, first.as_of_ms) == (b"17", AT)
    assert second.key is None
    assert b'"price":NaN' in second.value
    assert second.as_of_ms == AT, "a record without a time has that of the one before it"


def test_a_table_larger_than_a_chunk_comes_whole_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "CHUNK", 7)
    rows = "".join(f"{number},1,1,1,1.5,2026-01-05T08:26:00Z\n" for number in range(100))
    records = list(opened(written(tmp_path / "orders.csv", HEADER + rows)))
    assert [json.loads(record.value)["order_id"] for record in records] == list(range(100))


def test_json_lines_go_through_byte_for_byte(tmp_path: Path) -> None:
    lines = [
        VALUE, b'{"order_id": 1, "quantity":1,"quantity":2}', b'{"order_id":1', b"[1]", b'{"price":NaN}', b"\xff\xfe{",
        b'{"order_id":9, "customer_id":"\xc3\xa4", "extra":[1.0, 1e5]}', b"{" * 5000,
    ]  # fmt: skip
    records = list(opened(written(tmp_path / "orders.jsonl", b"\r\n".join(lines))))
    assert [record.value for record in records] == lines
    assert [record.key for record in records] == [b"17", None, None, None, None, None, "ä".encode(), None]
    assert {record.as_of_ms for record in records} == {AT}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.binary(min_size=1).filter(lambda raw: not set(raw) & {10, 13} and bool(raw.strip())), min_size=1))
def test_any_lines_at_all_go_through_byte_for_byte(tmp_path: Path, lines: list[bytes]) -> None:
    records = opened(written(tmp_path / "orders.jsonl", b"\n".join(lines)))
    assert [record.value for record in records] == lines


def values(source: Source) -> list[Any]:
    return [json.loads(record.value) for record in source]


def test_a_row_with_too_few_cells_has_nulls_and_is_counted(tmp_path: Path) -> None:
    source = opened(written(tmp_path / "orders.csv", HEADER + "1,17\n" + LINE))
    first, second = values(source)
    assert first == {
        "order_id": 1, "customer_id": 17, "product_id": None, "quantity": None, "price": None, "order_date": None,
    }  # fmt: skip
    assert second == json.loads(VALUE)
    assert any("fewer cells" in note and note.endswith(": 1") for note in source.notes())


def test_the_cells_that_a_row_has_too_many_are_kept(tmp_path: Path) -> None:
    source = opened(written(tmp_path / "orders.csv", HEADER + LINE.replace("\n", ",more,\n") + LINE))
    first, second = values(source)
    assert first == json.loads(VALUE) | {"surplus_cells": ["more", ""]}
    assert second == json.loads(VALUE)


def test_a_quote_that_never_closes_costs_one_line(tmp_path: Path) -> None:
    text = HEADER + LINE + '2,"17,101,6,2.55,2026-01-05 08:26:00\n' + LINE * 3
    records = list(opened(written(tmp_path / "orders.csv", text)))
    assert [record.value for record in records] == [VALUE, b'2,"17,101,6,2.55,2026-01-05 08:26:00', VALUE, VALUE, VALUE]


def test_a_quote_that_would_swallow_a_large_file_costs_one_line(tmp_path: Path) -> None:
    text = HEADER + '2,"17,101\n' + LINE * 5000
    records = list(opened(written(tmp_path / "orders.csv", text)))
    assert len(records) == 5001
    assert records[0].value == b'2,"17,101'
    assert {record.value for record in records[1:]} == {VALUE}


def test_quoted_cells_may_hold_commas_quotes_and_line_breaks(tmp_path: Path) -> None:
    text = 'product_id,category,unit_price\r\n1,"A ""B"", C\nD",2.5\r\n'
    assert values(opened(written(tmp_path / "products.csv", text))) == [
        {"product_id": 1, "category": 'A "B", C\nD', "unit_price": 2.5}
    ]


def test_bytes_that_are_no_utf8_reach_the_judge_as_they_are(tmp_path: Path) -> None:
    (record,) = opened(written(tmp_path / "products.csv", b"product_id,category,unit_price\n1,caf\xe9,2\n"))
    assert record.value == b'{"product_id":1,"category":"caf\xe9","unit_price":2}'


def test_an_encoding_can_be_named(tmp_path: Path, shop_dir: Path) -> None:
    (shop_dir / "sources.yaml").write_text(
        "sources:\n  - name: p\n    match: p.csv\n    encoding: latin-1\n    delimiter: ';'\n    feeds: [{entity: products}]\n"
    )
    path = written(tmp_path / "p.csv", b"product_id;category;unit_price\n1;caf\xe9;2\n")
    assert values(opened(path, shop=shop_dir))[0]["category"] == "café"


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    assert values(opened(written(tmp_path / "orders.csv", b"\xef\xbb\xbf" + (HEADER + LINE).encode())))[0]["order_id"] == 1


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.text(alphabet=st.sampled_from('ab1,"\n\r é'), min_size=1, max_size=200))
def test_any_csv_text_at_all_is_read_to_its_end(tmp_path: Path, body: str) -> None:
    source = opened(written(tmp_path / "orders.csv", HEADER + body + "\n" + LINE))
    records = list(source)
    assert records, "the last line is a row, whatever stood before it"
    assert all(isinstance(record.value, bytes) for record in records)
    if '"' not in body:
        assert records[-1].value == VALUE


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("orders.csv", b"", "empty"),
        ("orders.csv", b"\n\n", "CSV header"),
        ("orders.csv", b"a,b,a\n1,2,3\n", "'a' appears twice"),
        ("orders.csv", b"order_id;price\n1;2\n", "delimiter: ';'"),
        ("orders.csv", b"a,b\n1,2\n", "none of the fields"),
        ("orders.csv.gz", b"order_id\n", "gzip"),
        ("orders.csv.xz", b"order_id\n", "xz"),
        ("orders.csv.zip", b"order_id\n", "zip"),
        ("orders.csv.zst", b"order_id\n", "zstd"),
        ("orders.csv.gz", gzip.compress((HEADER + LINE * 1000).encode())[:-20], "damaged or cut off"),
        ("orders.parquet", b"PAR1 not really", "not a Parquet file"),
        ("orders.xlsx", b"PK", ".parquet"),
        ("orders.jsonl", b"\n\n", "no lines"),
        ("orders.json", b"[]", "one record per line"),
        ("orders.csv", "order_id,price\n1,2\n".encode("utf-16"), "encoding: utf-16"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error_that_says_why(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    with pytest.raises(SourceError) as caught:
        list(opened(written(tmp_path / name, data)))
    assert says in str(caught.value)
    assert name in str(caught.value)


def test_two_columns_of_one_name_in_parquet_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["order_id", "order_id"]), path)
    with pytest.raises(SourceError, match="'order_id' appears twice in the file"):
        opened(path)


def test_times_that_python_does_not_have_go_on_as_text(tmp_path: Path) -> None:
    path = tmp_path / "orders.parquet"
    far = pa.array([10**17, 0, None], pa.timestamp("ms"))
    days = pa.array([10**9, 0, None], pa.date32())
    pq.write_table(pa.table({"order_id": [1, 2, 3], "order_date": far, "price": days}), path)
    assert [json.loads(record.value)["order_date"] for record in opened(path)] == [str(10**17), "1970-01-01T00:00:00Z", None]


def test_a_byte_order_mark_is_no_part_of_the_first_json_line(tmp_path: Path) -> None:
    path = written(tmp_path / "orders.jsonl", b"\xef\xbb\xbf" + VALUE + b"\n\xef\xbb\xbf" + VALUE)
    assert [record.value for record in opened(path)] == [VALUE, b"\xef\xbb\xbf" + VALUE]


def test_a_path_that_is_not_there_says_which_files_are(tmp_path: Path) -> None:
    written(tmp_path / "orders.csv", HEADER)
    with pytest.raises(SourceError, match=r"order\.csv: no such file; files there: orders\.csv"):
        opened(tmp_path / "order.csv")
    with pytest.raises(SourceError, match=r"is a folder; name files in it \(orders\.csv\)"):
        opened(tmp_path)


INVOICES = """InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,"HOLDER, WHITE",6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
536365,71053,LANTERN,6,2010-12-01 08:26:00,3.39,17850.0,United Kingdom
C536379,D,Discount,-1,2010-12-01 09:41:00,27.5,14527.0,United Kingdom
536544,85123A,,1,2010-12-01 14:32:00,5.06,,France
A563185,B,Adjust bad debt,1,2011-08-12 14:50:00,11062.06,,United Kingdom
"""


def test_one_invoice_file_feeds_three_entities_in_the_order_of_its_rows(tmp_path: Path) -> None:
    records = list(opened(written(tmp_path / "online-retail.csv", INVOICES), shop=RETAIL))
    assert [(record.entity, record.key) for record in records] == [
        ("products", b"85123A"), ("customers", b"17850"), ("orders", b"536365"),
        ("products", b"71053"), ("orders", b"536365"),
        ("customers", b"14527"), ("orders", b"C536379"),
        ("orders", b"536544"),
        ("orders", b"A563185"),
    ]  # fmt: skip
    assert records[2].value == (
        b'{"invoice_no":"536365","stock_code":"85123A","product_id":"85123A","line_type":"sale",'
        b'"description":"HOLDER, WHITE","quantity":6,"price":2.55,"customer_id":17850,"country":"United Kingdom",'
        b'"invoice_date":"2010-12-01T08:26:00Z"}'
    )
    discount, guest, debt = (json.loads(records[index].value) for index in (6, 7, 8))
    assert (discount["product_id"], discount["line_type"], discount["quantity"]) == (None, "cancellation", -1)
    assert (guest["customer_id"], guest["description"]) == (None, None)
    assert debt["line_type"] == "adjustment"
    assert records[0].as_of_ms == records[2].as_of_ms == 1291191960000


def test_only_one_entity_can_be_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path / "online-retail.csv", INVOICES)
    assert {record.entity for record in opened(path, only="customers", shop=RETAIL)} == {"customers"}
    assert len(list(opened(path, only="customers", shop=RETAIL))) == 2


def test_distinct_values_are_distinct_over_all_files_of_a_source(tmp_path: Path) -> None:
    paths = [written(tmp_path / f"online-retail-{number}.csv", INVOICES) for number in (1, 2)]
    records = [record for source in open_sources(load_shop(RETAIL), paths) for record in source]
    assert sum(record.entity == "customers" for record in records) == 2
    assert sum(record.entity == "orders" for record in records) == 10


def test_files_of_referenced_entities_come_first(tmp_path: Path) -> None:
    for name, text in (
        ("orders.csv", HEADER + LINE), ("products.csv", "product_id,category,unit_price\n101,Toys,2.5\n"),
        ("customers.csv", "customer_id,name,email,country\n17,A B,a@example.com,France\n"),
    ):  # fmt: skip
        written(tmp_path / name, text)
    sources = open_sources(load_shop(None), sorted(tmp_path.glob("*.csv"), reverse=True))
    assert [source.entities[0] for source in sources] == ["customers", "products", "orders"]


def test_sources_are_merged_by_event_time(tmp_path: Path) -> None:
    for name, minutes in (("orders-a.csv", (1, 4, 5)), ("orders-b.csv", (2, 3, 6))):
        rows = "".join(f"{minute},1,1,1,1,2026-01-05 08:0{minute}:00\n" for minute in minutes)
        written(tmp_path / name, HEADER + rows)
    sources = open_sources(load_shop(None), sorted(tmp_path.glob("*.csv")))
    assert [json.loads(record.value)["order_id"] for record in merged(sources)] == [1, 2, 3, 4, 5, 6]


def test_a_shift_moves_event_times_and_leaves_every_other_byte(tmp_path: Path) -> None:
    line = VALUE.replace(b'"price":2.55', b'"price": 2.550, "x":1')
    csv, lines = written(tmp_path / "orders.csv", HEADER + LINE), written(tmp_path / "orders.jsonl", line)
    for path, value in ((csv, VALUE), (lines, line)):
        (source,) = open_sources(load_shop(None), [path], shift_ms=3_600_000)
        assert list(source) == [RawRecord("orders", b"17", value.replace(b"T08:26", b"T09:26"), AT + 3_600_000)]


def test_json_lines_can_be_mapped_and_broken_lines_still_pass(tmp_path: Path, shop_dir: Path) -> None:
    (shop_dir / "sources.yaml").write_text(
        "sources:\n  - name: p\n    match: p.jsonl\n    feeds:\n      - entity: products\n        where: kind == 'goods'\n"
        "        fields:\n          product_id: {column: id}\n          category: {column: /group/name}\n"
        "          unit_price: {cel: 'pence / 100.0'}\n"
    )
    lines = (
        b'{"id":1,"group":{"name":"Toys"},"pence":250.0,"kind":"goods"}\n{"id":2,"kind":"charge"}\n'
        b'{"id":3,"kind":"goods","pence":"x"}\n{broken\n'
    )
    source = opened(written(tmp_path / "p.jsonl", lines), shop=shop_dir)
    assert [record.value for record in source] == [
        b'{"product_id":1,"category":"Toys","unit_price":2.5}', b'{"product_id":3,"unit_price":null}', b"{broken",
    ]  # fmt: skip
    assert any("unit_price has no value" in note for note in source.notes())


def test_a_row_dated_far_ahead_neither_ends_its_file_last_nor_dates_what_follows(tmp_path: Path) -> None:
    many = range(1, 10)
    rows = "".join(f"{minute},1,1,1,1,2026-01-05 08:0{minute}:00\n" for minute in many)
    written(
        tmp_path / "orders-a.csv",
        HEADER + rows + "90,1,1,1,1,9998-01-05 08:00:00\n91,1,1,1,1,\n92,1,1,1,1,2026-01-05 08:09:30\n",
    )
    written(tmp_path / "orders-b.csv", HEADER + "80,1,1,1,1,2026-01-05 08:05:30\n81,1,1,1,1,2026-01-05 08:30:00\n")
    sources = open_sources(load_shop(None), sorted(tmp_path.glob("*.csv")))
    records = list(merged(sources))
    assert [json.loads(record.value)["order_id"] for record in records] == [1, 2, 3, 4, 5, 80, 6, 7, 8, 9, 90, 91, 92, 81]
    times = {json.loads(record.value)["order_id"]: record.as_of_ms for record in records}
    assert times[91] == times[9]


@pytest.mark.parametrize("text", ["9999-12-31 23:59:59", "1969-12-31", "0001-01-01T00:00:00Z"])
def test_a_time_that_cannot_be_shown_is_not_the_moment_of_judging(text: str, tmp_path: Path) -> None:
    [record] = opened(written(tmp_path / "orders.csv", HEADER + f"1,1,1,1,1,{text}\n"))
    assert record.as_of_ms is None
    [record] = opened(written(tmp_path / "orders.jsonl", b'{"order_id":1,"order_date":"%b"}' % text.encode()))
    assert record.as_of_ms is None


@pytest.mark.parametrize("text", ["2026-01-05", "2026-01-05 08:00", "2026-01-05T08:00:00,5Z", "2026-01-05 08:00 +0100"])
def test_a_record_is_judged_as_of_the_time_that_the_judge_reads(text: str, tmp_path: Path) -> None:
    contract = load_shop(None).contracts["orders"]
    good = b'{"order_id":1,"customer_id":1,"product_id":1,"quantity":1,"price":1.5,"order_date":"%b"}' % text.encode()
    for path in (
        written(tmp_path / "orders.jsonl", good),
        written(tmp_path / "orders.csv", HEADER + f'1,1,1,1,1.5,"{text}"\n'),
    ):
        [record] = opened(path)
        verdict = Judge(contract).judge(record.value, UNKNOWN)
        assert (verdict.findings, verdict.event_ms) == ((), record.as_of_ms)
