"""Headers of a batch are read once: the moment of each record, and whether its producer gave it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.kafka.headers import Header, as_of, dead_letter_headers, header, read_as_of
from stream_app.names import AS_OF, ATTEMPTS, FINDINGS, SOURCE


def record(*headers: Header, timestamp: int = 1_700_000_000_000) -> Any:
    return SimpleNamespace(offset=4, timestamp=timestamp, key=b"k", value=b"v", headers=headers)


@pytest.mark.parametrize(
    ("headers", "moment"),
    [
        ([], None),
        ([(AS_OF, b"1600000000000")], 1_600_000_000_000),
        ([("other", b"1"), (AS_OF, b"1600000000000")], 1_600_000_000_000),
        ([(AS_OF, b"soon"), (AS_OF, b"7")], 7),
        ([(AS_OF, b"soon")], None),
        ([(AS_OF, None)], None),
        ([(AS_OF, b"")], None),
        ([(AS_OF, b"-5")], None),
        ([(AS_OF, b"1" * 16)], None),
        ([("other", b"1600000000000")], None),
    ],
)
def test_a_record_is_judged_as_of_its_header_or_else_its_timestamp(headers: list[Header], moment: int | None) -> None:
    one = record(*headers)
    expected = one.timestamp if moment is None else moment
    assert as_of(one) == expected
    assert read_as_of([one]) == ([expected], [moment is not None])


def test_a_record_without_a_timestamp_is_judged_as_of_the_epoch() -> None:
    assert read_as_of([record(timestamp=-1)]) == ([0], [False])
    assert as_of(record(timestamp=-1)) == 0


some_header = st.sampled_from([(AS_OF, b"5"), (AS_OF, b"6"), (AS_OF, b"x"), ("other", b"5"), ("other", None)])


@given(st.lists(st.lists(some_header, max_size=3), max_size=8))
def test_a_batch_is_read_as_its_records_are_one_by_one(batch: list[list[Header]]) -> None:
    records = [record(*headers, timestamp=1_000 + number) for number, headers in enumerate(batch)]
    moments, dated = read_as_of(records)
    assert moments == [as_of(one) for one in records]
    assert dated == [moment < 1_000 for moment in moments]


def test_the_last_value_of_a_header_counts() -> None:
    one = record(("a", b"1"), ("b", b"2"), ("a", b"3"))
    assert (header(one, "a"), header(one, "b"), header(one, "c")) == (b"3", b"2", None)


def test_a_dead_letter_keeps_foreign_headers_and_counts_attempts() -> None:
    one = record(("trace", b"\xff"), (AS_OF, b"5"), (SOURCE, b"older"), (ATTEMPTS, b"2"), ("empty", None))
    written = dead_letter_headers(one, b"a:b:3:44", b"orders:1", b"[]", "group")
    assert written[:3] == [("trace", b"\xff"), (AS_OF, b"5"), ("empty", None)]
    given_ = dict(written)
    assert (given_[SOURCE], given_[FINDINGS], given_[ATTEMPTS]) == (b"a:b:3:44", b"[]", b"3")
    assert given_["__connect.errors.topic"] == b"a:b"
    assert given_["kafka_dlt-original-offset"] == (44).to_bytes(8, "big")
