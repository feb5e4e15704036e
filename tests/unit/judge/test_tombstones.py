"""A record with a key and no value deletes the record of that key: which id that is, and what is judged together."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.record import json_value, key_bytes
from stream_app.counts.fields import parse
from stream_app.counts.summary import quality
from stream_app.counts.tally import Tally
from stream_app.errors import DocumentError
from stream_app.judge import Judge
from stream_app.judge.tombstones import before_reuse, deleted_id
from tests.support.records import AS_OF, contract_of, encoded, judge_of, order

CUSTOMERS = judge_of("built-in", "customers")
PRODUCTS = judge_of("online-retail", "products")


@pytest.mark.parametrize(
    ("key", "identity"),
    [
        (b"7", "7"),
        (b" 7 ", "7"),
        (b'"7"', "7"),
        (b'{"customer_id":7}', "7"),
        (b'{"customer_id":"7"}', "7"),
        (b'{"schema":{"type":"struct"},"payload":{"customer_id":7}}', "7"),
        (b'{"schema":{"type":"int64"},"payload":7}', "7"),
        (b'{"id":7}', None),
        (b"-1", None),
        (b"Ada", None),
        (b"", None),
        (b"\xff", None),
        (b"null", None),
        (b"[7]", None),
        (b"1" * 5_000, None),
        (b"[" * 50_000, None),
    ],
)
def test_the_key_names_the_id_as_the_record_key_field_reads_a_value(key: bytes, identity: str | None) -> None:
    assert deleted_id(CUSTOMERS, key) == identity


@pytest.mark.parametrize(
    ("key", "identity"),
    [(b"85123A", "85123A"), (b'"85123A"', "85123A"), (b"10002", "10002"), (b'{"product_id":"85123A"}', "85123A")],
)
def test_an_id_of_letters_is_its_text(key: bytes, identity: str) -> None:
    assert deleted_id(PRODUCTS, key) == identity


@given(number=st.integers(-(2**31), 2**31))
def test_the_key_that_producers_give_a_record_names_that_record(number: int) -> None:
    key = key_bytes(json_value(number))
    assert key is not None
    verdict = CUSTOMERS.judge(encoded({"customer_id": number}), AS_OF)
    assert verdict.values is not None
    kept = verdict.values["customer_id"]
    assert deleted_id(CUSTOMERS, key) == (None if kept is None else str(kept))


def test_a_contract_without_a_record_key_has_no_ids(tmp_path: Path) -> None:
    judge = Judge(contract_of(tmp_path, "- {name: a, logicalType: string}"))
    assert deleted_id(judge, b"x") is None


@pytest.mark.parametrize(("value", "accepted"), [("delete", True), ("reject", True), ("keep", False), ("[]", False)])
def test_a_contract_says_what_a_tombstone_does(tmp_path: Path, value: str, accepted: bool) -> None:
    schema = f"customProperties: [{{property: tombstones, value: {value}}}]"
    if accepted:
        assert contract_of(tmp_path, "- {name: a, logicalType: string}", schema).tombstones == value
    else:
        with pytest.raises(DocumentError, match="use delete or reject"):
            contract_of(tmp_path, "- {name: a, logicalType: string}", schema)


def rows(*pairs: tuple[bytes | None, bytes | None]) -> tuple[list[Any], list[bytes | None]]:
    return [SimpleNamespace(key=key) for key, _ in pairs], [value for _, value in pairs]


def test_a_record_that_reuses_a_deleted_key_is_judged_later() -> None:
    some = rows((b"1", b"a"), (b"2", b"b"), (b"1", None), (b"2", b"c"), (b"1", b"d"), (b"1", None))
    assert before_reuse(*some, any_key=False) == 4
    assert before_reuse(*some, any_key=True) == 3
    assert before_reuse(*rows((b"1", b"a"), (b"1", None), (b"1", None)), any_key=True) == 3
    assert before_reuse(*rows((None, None), (None, b"a")), any_key=False) == 2


def test_a_tombstone_counts_as_deleted_and_not_as_a_fault() -> None:
    judge = judge_of("built-in", "orders")
    verdicts = judge.judge_all([encoded(order()), None, None, b"{}"], [AS_OF] * 4)
    verdicts.put_deleted(1, "7")
    tally = Tally(judge.contract)
    tally.add_all(verdicts, (), lambda index: f"orders:0:{index}")
    counts = parse(tally.totals())
    assert (counts.received, counts.clean, counts.rejected, counts.deleted, counts.records) == (4, 1, 2, 1, 3)
    assert counts.findings["record.tombstone"] == 1
    assert counts.received == counts.clean + counts.rejected + counts.pending + counts.deleted


def test_quality_does_not_improve_by_deletes() -> None:
    from stream_app.contract.summary import describe

    contract = describe(judge_of("built-in", "orders").contract)
    tally = Tally(judge_of("built-in", "orders").contract)
    verdicts = judge_of("built-in", "orders").judge_all([b"{", *[None] * 99], [AS_OF] * 100)
    for index in range(1, 100):
        verdicts.put_deleted(index, None)
    tally.add_all(verdicts, (), str)
    counts = parse(tally.totals())
    assert (counts.deleted, quality(contract, counts).valid) == (99, 0.0)
