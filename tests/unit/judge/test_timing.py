"""Late records, and how a batch moves its partition's clock: the same in any cut of the log, and by either way."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.judge.batch import Verdicts
from stream_app.judge.timing import _one_by_one, timing
from stream_app.windows.as_of import UNKNOWN
from stream_app.windows.clock import PartitionClock, Timing
from stream_app.windows.grain import Grain
from stream_app.windows.watermark import Finality
from tests.support.records import GOOD, encoded, judge_of, order

#: 2026-11-29T12:00:00Z, and lengths, in ms.
NOW, MINUTE, HOUR, DAY = 1_795_953_600_000, 60_000, 3_600_000, 86_400_000
FINALITY = Finality(Grain.HOUR, 60)
BEFORE = PartitionClock().advance([NOW + number * 1_000 for number in range(-60, 1)])


def iso(ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ms / 1000))


def orders(dates: Sequence[int | None], as_of: Sequence[int]) -> Verdicts:
    """Judged orders of these dates (ms); None is one that cannot be read."""
    raws: list[bytes | None] = [b"{" if ms is None else encoded(order(order_date=iso(ms))) for ms in dates]
    return judge_of("built-in", "orders").judge_all(raws, list(as_of))


def timed(*dates: int, clock: PartitionClock = BEFORE, as_of: Sequence[int] | None = None) -> Timing:
    return timing(clock, orders(dates, dates if as_of is None else as_of), FINALITY)


def test_a_record_of_a_final_window_is_late() -> None:
    found = timed(NOW + HOUR, NOW + HOUR, NOW - 1_000, NOW + HOUR + MINUTE, NOW - 1_000, NOW, NOW - 2 * HOUR)
    # The hour from 12 to 13 is final a minute after 13.
    noon, one = NOW // 1000, (NOW + HOUR) // 1000
    assert found.late == {2: noon, 4: one, 5: one, 6: one}
    assert found.clock.reached == NOW + HOUR + MINUTE


def test_the_records_of_an_entity_without_event_time_are_never_late() -> None:
    value = encoded(GOOD["built-in", "customers"])
    verdicts = judge_of("built-in", "customers").judge_all([value] * 3, [NOW - 30 * DAY, UNKNOWN, NOW + 1_000])
    assert timing(BEFORE, verdicts, FINALITY) == Timing(BEFORE.advance([NOW - 30 * DAY, NOW + 1_000]))


def test_nothing_is_late_before_a_partition_has_some_records() -> None:
    assert timed(NOW, NOW - DAY, clock=PartitionClock()).late == {}
    assert list(timed(NOW, NOW + 1_000, NOW, NOW - DAY, clock=PartitionClock()).late) == [3]


@pytest.mark.parametrize("days", [1, 365, 7_000 * 365])
def test_a_record_ahead_of_its_as_of_moment_counts_up_to_that(days: int) -> None:
    ahead = NOW + min(days * DAY - HOUR, 253_370_764_700_000 - NOW)
    found = timed(NOW + 1_000, ahead, NOW + 2_000, as_of=[NOW + 1_500] * 2 + [NOW + 2_500])
    assert (found.clock.reached, found.late) == (NOW + 2_000, {})


def test_a_simulation_keeps_the_time_of_its_headers() -> None:
    dates = [NOW + 400 * DAY + number * MINUTE for number in range(20)]
    assert timed(*dates, clock=PartitionClock()).clock.reached == dates[-1]


def test_an_unreadable_record_does_not_move_the_clock() -> None:
    verdicts = orders([NOW + 1_000, None], [NOW + 1_000, NOW + HOUR])
    assert timing(BEFORE, verdicts, FINALITY).clock.reached == NOW + 1_000


def test_a_record_of_which_nobody_says_when_it_was_sent_is_bounded_by_its_neighbours() -> None:
    assert timed(NOW + 1_000, NOW + 300 * DAY, as_of=[UNKNOWN] * 2).clock.reached == NOW + 1_000


moments = st.one_of(
    st.integers(-600, 600).map(lambda seconds: NOW + seconds * 1_000),
    st.sampled_from([NOW - DAY, NOW - 3 * HOUR, NOW + HOUR, NOW + 2 * HOUR + MINUTE, NOW + 400 * DAY]),
)
records = st.lists(
    st.tuples(st.none() | moments, st.sampled_from([0, 0, 5_000, -5_000, None])).map(
        lambda row: (row[0], UNKNOWN if row[1] is None else (row[0] or NOW) + row[1])
    ),
    max_size=30,
)


@given(records, st.lists(st.integers(0, 30), max_size=4))
def test_any_cut_of_the_log_has_the_same_late_records_and_the_same_clock(
    log: list[tuple[int | None, int]], cuts: list[int]
) -> None:
    whole = timing(BEFORE, orders([date for date, _ in log], [at for _, at in log]), FINALITY)
    late: dict[int, int] = {}
    clock = BEFORE
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(log)], strict=True):
        part = log[begin:end]
        found = timing(clock, orders([date for date, _ in part], [at for _, at in part]), FINALITY)
        late |= {begin + index: final for index, final in found.late.items()}
        clock = found.clock
    assert Timing(clock, late) == whole


@given(records)
def test_the_quick_way_agrees_with_a_look_at_each_record(log: list[tuple[int | None, int]]) -> None:
    verdicts = orders([date for date, _ in log], [at for _, at in log])
    assert timing(BEFORE, verdicts, FINALITY) == _one_by_one(BEFORE, verdicts, FINALITY)
