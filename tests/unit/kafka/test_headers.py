"""Headers that a dead letter keeps, and those that it replaces."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.kafka.batches.unreadable import UnreadableBatch
from stream_app.kafka.headers import (
    PART_BYTES,
    Header,
    dead_letter_headers,
    header,
    parts_of,
    pending_headers,
)
from stream_app.names import AS_OF, ATTEMPTS, FINDINGS, SOURCE, TOPIC_ID, TRUNCATED, UNREADABLE


def record(*headers: Header, timestamp: int = 1_700_000_000_000) -> Any:
    return SimpleNamespace(offset=4, timestamp=timestamp, key=b"k", value=b"v", headers=headers)


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


# --- redrives -----------------------------------------------------------------------------------------------------------

OF_OTHER_TOOLS: list[Header] = [
    ("kafka_dlt-exception-message", b"first"), ("__connect.errors.exception.class.name", b"E"),
    ("kafka_dlt-exception-message", b"second"), (TRUNCATED, b"9"), (TRUNCATED, b"8"),
]  # fmt: skip
OF_THE_PRODUCER: list[Header] = [("trace", b"1"), ("trace", b"2"), ("none", None)]


def dead(one: Any) -> list[Header]:
    return dead_letter_headers(one, b"orders:3:9", b"orders:1.0.0", b"[]", "group")


def test_headers_that_a_redrive_brings_are_replaced_however_often() -> None:
    first = dead(record(*OF_THE_PRODUCER, *OF_OTHER_TOOLS))
    again = first
    for attempt in range(2, 9):
        again = dead(record(*again))
        assert header(record(*again), ATTEMPTS) == b"%d" % attempt
        assert [one for one in again if one[0] != ATTEMPTS] == [one for one in first if one[0] != ATTEMPTS]


def test_a_redriven_record_that_waits_carries_nothing_of_its_last_attempt_but_their_number() -> None:
    before = [*OF_THE_PRODUCER, *OF_OTHER_TOOLS]
    waits = pending_headers(record(*dead(record(*before)), (AS_OF, b"5")), b"orders:3:10", b"77", "id")
    assert waits == [
        *OF_THE_PRODUCER, ("__connect.errors.exception.class.name", b"E"), ("kafka_dlt-exception-message", b"second"),
        (TRUNCATED, b"8"), (SOURCE, b"orders:3:10"), (AS_OF, b"77"), (ATTEMPTS, b"1"), (TOPIC_ID, b"id"),
    ]  # fmt: skip
    assert header(record(*dead(record(*waits))), ATTEMPTS) == b"2"
    assert pending_headers(record(*OF_THE_PRODUCER), b"s:0:1", b"7", "") == [
        *OF_THE_PRODUCER,
        (SOURCE, b"s:0:1"),
        (AS_OF, b"7"),
    ]


@given(
    st.lists(
        st.tuples(st.sampled_from([n for n, _ in dead(record())] + ["kafka_dlt-x", "x"]), st.binary(max_size=3)), max_size=9
    )
)
def test_no_header_of_ours_or_of_redrive_tools_is_ever_there_twice(headers: list[Header]) -> None:
    for made in (dead(record(*headers)), pending_headers(record(*headers), b"o:0:0", b"1", "t")):
        names = [name for name, _ in made if name != "x"]
        assert len(names) == len(set(names))
        assert [value for name, value in made if name == "x"] == [value for name, value in headers if name == "x"]


@pytest.mark.parametrize("size", [1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES])
def test_a_batch_that_cannot_be_read_is_kept_in_parts_that_say_which(size: int) -> None:
    data = b"x" * (size - 1) + b"y"
    parts = list(parts_of(UnreadableBatch("t", 0, 3, 9, "why", data)))
    assert b"".join(value for value, _ in parts) == data
    assert max(len(value) for value, _ in parts) <= PART_BYTES
    for number, (_, ((name, content),)) in enumerate(parts, 1):
        assert name == UNREADABLE
        assert json.loads(content or b"") == {"base": 3, "last": 9, "reason": "why", "part": number, "parts": len(parts)}
