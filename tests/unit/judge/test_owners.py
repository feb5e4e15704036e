"""Owners of keys are read as they were written, and periods follow from event times alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.contract import load_shop
from stream_app.judge import Judge
from stream_app.judge.batch import Verdicts
from stream_app.judge.keys import EXACT, LONGEST, claims_of, unique_id
from stream_app.judge.owners import NEIGHBOURS, RECORD_BYTES, Owner, owners_of, periods_of

CONTRACT = load_shop(None).contracts["orders"]
DAY = 86_400_000
BEGIN = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)


def judged(*days: float | None) -> Verdicts:
    """Orders of these days, as of the hundredth day; one without a day has a broken date."""
    rows = [
        {
            "order_id": number,
            "customer_id": 1,
            "product_id": 1,
            "quantity": 1,
            "price": 1.0,
            "order_date": datetime.fromtimestamp((BEGIN + day * DAY) / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            if day is not None
            else "soon",
        }
        for number, day in enumerate(days)
    ]
    raws: list[bytes | None] = [json.dumps(row).encode() for row in rows]
    return Judge(CONTRACT).judge_all(raws, [BEGIN + 100 * DAY] * len(rows))


@given(st.integers(0, 65_535), st.integers(0, 2**56 - 1), st.none() | st.integers(0, 2**32 - 1), st.integers(0, 255))
def test_an_owner_is_read_as_it_was_written(partition: int, offset: int, content: int | None, generation: int) -> None:
    owner = Owner(partition, offset, content, generation)
    assert Owner.decode(owner.encode()) == owner
    assert owners_of(partition, [offset], generation=generation) == [owner.encode()[:RECORD_BYTES]]


def test_owners_of_a_topic_that_is_created_again_are_others_of_the_same_size() -> None:
    generations = [owners_of(3, [0, 2**56 - 1], [b"{}", b"{}"], generation=generation) for generation in range(256)]
    assert {len(owner) for owners in generations for owner in owners} == {RECORD_BYTES + 4}
    assert len({owner[:RECORD_BYTES] for owners in generations for owner in owners}) == 512


def test_owners_differ_by_record_and_by_content() -> None:
    plain, same, other = owners_of(3, [7]), owners_of(3, [8], [b"{}"]), owners_of(3, [8], [b"[]"])
    assert plain == [Owner(3, 7).encode()]
    assert same[0][:RECORD_BYTES] == other[0][:RECORD_BYTES]
    assert same != other
    assert owners_of(3, [8], [None]) == owners_of(3, [8], [b""])


def test_periods_follow_from_event_times_whatever_the_batch() -> None:
    days: list[float | None] = [1.0, 2.5, None, 30.0, 31.0, 90.0]
    within = 20 * DAY
    each = [periods_of(judged(day), within) for day in days]
    assert periods_of(judged(*days), within) == each
    assert periods_of(judged(1.0, 1.5, 2.0), within) == each[0], "one for all"
    assert each[2] == (BEGIN + 100 * DAY) // (within // NEIGHBOURS), "without an event time, the as-of time decides"
    assert periods_of(judged(*days), None) == 0


@given(st.integers(0, 10**9), st.integers(0, 400 * DAY))
def test_records_up_to_within_apart_are_always_compared(first: int, apart: int) -> None:
    length = 400 * DAY // NEIGHBOURS
    assert abs((first + apart) // length - first // length) <= NEIGHBOURS


@pytest.mark.parametrize(
    ("value", "integer", "stored"),
    [(5, True, 5), (-5, True, -5), (EXACT, True, str(EXACT)), ("A-5", False, "A-5"), ("x" * LONGEST, False, "x" * LONGEST)],
)
def test_what_is_stored_of_a_key(value: object, integer: bool, stored: object) -> None:
    assert unique_id([value], seen=False, integer=integer) == stored


def test_a_long_text_and_several_fields_are_stored_as_16_bytes() -> None:
    long, other = (unique_id([letter * (LONGEST + 1)], seen=False, integer=False) for letter in "xy")
    assert len(long) == len(other) == len(unique_id(["a", 1], seen=False, integer=False)) == 16
    assert long != other


def test_no_records_claim_nothing() -> None:
    assert claims_of(CONTRACT, Verdicts.of(CONTRACT, []), 0, []) == ([], [])
