"""The time of a partition: no single record moves it, a stream that goes on does, and any cut into batches gives the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.windows.clock import LATEST, LEAP_MS, PartitionClock, agreed

#: 2026-11-29T12:00:00Z, and lengths, in ms.
NOW, SECOND, HOUR, DAY = 1_795_953_600_000, 1_000, 3_600_000, 86_400_000
YEAR = 365 * DAY
DENSE = [NOW + number * 10 * SECOND for number in range(400)]
END = DENSE[-1]


def after(*times: int) -> int:
    return PartitionClock().advance(times).reached


@pytest.mark.parametrize("far", [2 * DAY, 30 * DAY, YEAR, 253_370_764_799_999 - END])
def test_one_record_dated_ahead_does_not_move_the_clock(far: int) -> None:
    assert after(*DENSE, END + far) == END
    assert after(*DENSE, END + far, END + SECOND) == END + SECOND
    # Nor do three, if others come between.
    stray = [END + far, END + 1, END + 2, END + far, END + 3, END + 4, END + far, END + 5]
    assert after(*DENSE, *stray) == END + 5


@pytest.mark.parametrize("at", range(9))
def test_it_does_not_at_the_beginning_either(at: int) -> None:
    times = [*DENSE[:at], NOW + YEAR, *DENSE[at:12]]
    assert after(*times) == DENSE[11]


def test_a_leap_counts_once_the_records_after_it_agree() -> None:
    later = [END + 14 * DAY + number * SECOND for number in range(8)]
    reached = [after(*DENSE, *later[:count]) for count in range(1, 8)]
    assert reached == [END, END, END, *later[3:7]]


def test_a_shop_with_an_order_a_week_is_not_late() -> None:
    weekly = [NOW + number * 7 * DAY for number in range(30)]
    assert [after(*weekly[:count]) for count in range(1, 31)] == weekly
    assert after(*weekly, weekly[-1] + 10 * YEAR) == weekly[-1]


def test_the_clock_does_not_go_back() -> None:
    assert after(*DENSE, *[NOW - YEAR] * 20) == END
    assert after(*DENSE, *[NOW - YEAR] * 20, END + SECOND) == END + SECOND


def test_less_than_half_stand_apart() -> None:
    assert agreed([1]) == 1
    assert agreed([1, 1 + YEAR]) == 1 + YEAR
    assert agreed([1, 1 + YEAR, 2]) == 2
    assert agreed([1, 1 + YEAR, 2, 2 + YEAR]) == 2 + YEAR
    assert agreed([1, 2, 3, YEAR, 50 * YEAR]) == 3
    assert agreed([0, LEAP_MS, 2 * LEAP_MS]) == 2 * LEAP_MS


times = st.lists(
    st.one_of(st.integers(NOW, NOW + HOUR), st.integers(NOW - YEAR, NOW + YEAR), st.sampled_from([0, NOW, NOW + 40 * YEAR])),
    max_size=60,
)


@given(times, st.lists(st.integers(0, 60), max_size=6))
def test_the_clock_is_the_same_however_the_log_is_cut(log: list[int], cuts: list[int]) -> None:
    whole, parts = PartitionClock().advance(log), PartitionClock()
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(log)], strict=True):
        parts = PartitionClock.from_text(parts.advance(log[begin:end]).to_text())
    assert parts == whole
    assert len(parts.latest) <= LATEST
    assert not log or parts.reached in log


@pytest.mark.parametrize("text", ["", "x", "1 2 y", "-5", "5 -1", "9" * 5000, "1.5", " "])
def test_a_stored_clock_that_cannot_be_read_begins_anew(text: str) -> None:
    assert PartitionClock.from_text(text) == PartitionClock()
