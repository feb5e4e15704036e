"""Headers that a dead letter keeps, and those that it replaces."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from stream_app.kafka.headers import Header, dead_letter_headers, header
from stream_app.names import AS_OF, ATTEMPTS, FINDINGS, SOURCE


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
