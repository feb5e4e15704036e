"""Rows that are made while they are written: the same, and in the same order, as a list of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import pytest
from aiokafka.record.default_records import DefaultRecordBatch

from stream_app.kafka.batches.header_names import BatchBuilder
from stream_app.kafka.headers import Header
from stream_app.kafka.refusals import Row
from stream_app.kafka.rows import CleanRows

CONTRACT: Header = ("headrace.contract", b"orders/1")
NOTE: Header = ("headrace.warnings", b"[]")


def rows_of(count: int, own: dict[int, list[Header] | None] | None = None) -> CleanRows:
    keys = [b"k" * (index % 3) or None for index in range(count)]
    values = [b"%d" % index * 9 for index in range(count)]
    sources = [b"orders:0:%d" % index for index in range(count)]
    return CleanRows(keys, values, range(1_000, 1_000 + count), sources, CONTRACT, own or {})


def row(index: int, *more: Header) -> Row:
    headers = [("headrace.source", b"orders:0:%d" % index), CONTRACT, *more]
    return b"k" * (index % 3) or None, b"%d" % index * 9, 1_000 + index, headers


@pytest.mark.parametrize(
    "own",
    [
        {},
        {0: None, 4: None},
        {0: [NOTE], 1: None, 3: [NOTE, NOTE], 4: [NOTE]},
        {2: []},
        dict.fromkeys(range(5)),
        {index: [NOTE] for index in range(5)},
    ],
)
def test_each_record_has_its_row_and_those_left_out_have_none(own: dict[int, list[Header] | None]) -> None:
    rows = rows_of(5, own)
    expected = [row(index, *(own.get(index) or ())) for index in range(5) if own.get(index, []) is not None]
    assert [*rows] == expected == [*rows], "they can be read again"
    assert (len(rows), bool(rows)) == (len(expected), bool(expected))
    assert [rows[begin:end] for begin, end in ((0, 2), (1, 9))] == [expected[:2], expected[1:]]


def test_no_row_is_longer_than_the_longest_key_and_value() -> None:
    rows = rows_of(20, {3: None})
    assert rows.longest == 2 + 18
    assert rows.longest >= max(len(key or b"") + len(value or b"") for key, value, *_ in rows)
    assert rows_of(0).longest == 0


def test_log_batches_have_the_same_bytes_as_of_a_list() -> None:
    rows = rows_of(400, {7: None, 8: [NOTE], 399: [NOTE]})

    def built(content: Sequence[Row]) -> list[bytes]:
        batches, left = [], iter(content)
        while True:
            builder = BatchBuilder(4_096, 0)
            refused = builder.extend(left)
            batches.append(bytes(builder._build()))
            if refused is None:
                return batches
            left = chain((refused,), left)

    batches = built(rows)
    assert batches == built([*rows])
    assert len(batches) > 3
    assert sum(len(list(DefaultRecordBatch(batch))) for batch in batches) == 399
