"""Bits of raw offsets: a set of numbers that the store keeps in blocks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream_app.worker.restore import Bits

OFFSETS = st.sets(st.one_of(st.integers(0, 300), st.integers(4_000, 9_000), st.integers(0, 2**62)), max_size=60)
LIMIT = st.integers(0, 9_000)


@given(OFFSETS, LIMIT, LIMIT)
def test_they_say_what_a_set_says(offsets: set[int], begin: int, end: int) -> None:
    bits = Bits()
    for offset in offsets:
        bits.add(offset)
    assert all(offset in bits for offset in offsets)
    assert bits.end == max(offsets, default=-1) + 1
    assert bits.count(begin, end) == sum(begin <= offset < end for offset in offsets)
    assert bits.first_missing(begin, end) == next((one for one in range(begin, end) if one not in offsets), end)


@given(OFFSETS, OFFSETS)
def test_they_come_back_from_the_store(first: set[int], second: set[int]) -> None:
    bits, stored = Bits(), dict[int, bytes]()
    for some in (first, second):
        for offset in some:
            bits.add(offset)
        # A script that is refused stores nothing: its blocks are in the next one.
        assert dict(bits.changes()) == dict(bits.changes())
        stored |= dict(bits.changes())
        bits.stored()
        assert bits.changes() == []
    again = Bits(stored)
    assert all(offset in again for offset in first | second)
    assert again.count(0, 2**62 + 1) == len(first | second)


def test_an_offset_from_elsewhere_takes_one_block() -> None:
    bits = Bits()
    bits.add(2**62)
    assert len(bits.changes()[0][1]) == 512
