"""Sums that are kept are those that would be computed anew, and what is kept stays small."""

from __future__ import annotations

import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.counts import fields, sums
from stream_app.counts.fields import Counts, add, parse
from stream_app.counts.kept import Kept
from stream_app.counts.sums import numbers, summed

values = st.integers(-(2**53), 2**53)
names = st.sampled_from(
    [
        *fields.PLAIN,
        *(write(name) for write in (fields.finding, fields.value, fields.repair, fields.dimension) for name in "ab"),
        *(fields.segment("country", what, of) for what in ("in", "clean", fields.finding("a")) for of in ("Spain", "Italy")),
    ]
)
windows = st.lists(st.dictionaries(names, values, max_size=8).map(parse), max_size=8)


@pytest.fixture(autouse=True)
def afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "_SUMS", Kept(sums.NUMBERS_KEPT))


@given(windows, st.data())
def test_a_sum_is_that_of_its_parts_whichever_of_them_has_changed(parts: list[Counts], data: st.DataObject) -> None:
    for _ in range(4):
        for segments in (True, False):
            start = data.draw(st.integers(0, len(parts)), "from")
            some = parts[start:]
            assert summed(some, segments=segments) == add(some, segments=segments)
            assert summed(some, segments=segments) == add(some, segments=segments)
        if parts:
            # A late record.
            at = data.draw(st.integers(0, len(parts) - 1), "changed")
            parts[at] = add([parts[at], parse({"in": 1, "late": 1, fields.finding("a"): 1})])


def test_of_a_range_only_the_window_that_still_counts_is_added_again(monkeypatch: pytest.MonkeyPatch) -> None:
    added: list[int] = []
    real = fields.add

    def counting(parts: tuple[Counts, ...], *, segments: bool = True) -> Counts:
        added.append(len(tuple(parts)))
        return real(parts, segments=segments)

    monkeypatch.setattr(sums, "add", counting)
    closed = [parse({"in": number, "clean": number}) for number in range(1, 30)]
    for running in (1, 2, 3):
        assert summed([*closed, parse({"in": running})], segments=False).received == 435 + running
    assert added == [29, 2, 2, 2]


def test_nothing_is_added_twice_while_all_windows_are_the_same() -> None:
    parts = [parse({"in": number}) for number in range(5)]

    assert summed(parts) is summed(tuple(parts))
    assert summed(parts) is not summed(parts, segments=False)


def test_what_is_kept_stays_below_its_limit_and_what_was_asked_for_last_stays() -> None:
    kept: Kept[str] = Kept(100)
    objects = [object() for _ in range(50)]
    for each in objects:
        kept.or_compute((objects[0],), lambda: "first", lambda _: 10)
        kept.or_compute((each,), lambda: "other", lambda _: 10)
        assert kept.weight <= 100

    assert kept.get((objects[0],)) == "first"
    assert kept.get((objects[-1],)) == "other"
    assert kept.get((objects[1],)) is None
    assert kept.or_compute((object(),), lambda: "too heavy", lambda _: 101) == "too heavy"
    assert kept.weight <= 100


def test_an_object_whose_result_is_kept_lives_as_long_so_that_no_other_gets_its_identity() -> None:
    kept: Kept[int] = Kept(1_000_000)
    for number in range(2_000):
        # Each of these objects would get the memory of the one before.
        fresh = [number]
        assert kept.or_compute((fresh,), lambda fresh=fresh: fresh[0], lambda _: 1) == number  # type: ignore[misc]
        del fresh
    gc.collect()


def test_segments_that_are_kept_cost_no_garbage_collection() -> None:
    counts = parse({"in": 1, fields.segment("country", "in", "Spain"): 1})

    assert not gc.is_tracked(counts.segments["country"]["Spain"])


def test_counts_weigh_what_they_hold() -> None:
    small = parse({"in": 1})
    large = parse({fields.segment("country", fields.finding(rule), of): 1 for rule in "ab" for of in "xyz"})

    assert numbers(large) == numbers(small) + 3 * (6 + 2)
