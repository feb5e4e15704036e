"""The watermark: windows are final only up to where every partition has been read, and a live outage is seen while it lasts."""

from __future__ import annotations

from typing import Any

import pytest

from stream_app.windows.grain import Grain
from stream_app.windows.watermark import Progress, Watermark, stream_time

#: Monday 2026-01-05T00:00:00Z, and lengths, in ms.
NOW, MINUTE, HOUR, DAY = 1_767_571_200_000, 60_000, 3_600_000, 86_400_000
ORDERS = frozenset({"orders"})


def progress(event: dict[str, int], processed: int | None = None, **more: Any) -> Progress:
    """The report of workers that have read everything; ``processed``: when the last batch of the orders was applied."""
    plain: dict[str, Any] = {"reported": None, "behind": None, "caught_up": True, "closed": False}
    return Progress(event, {} if processed is None else {"orders": processed}, **plain | more)


def after(
    event: dict[str, int], now: int = NOW, processed: int | None = None, clocked: frozenset[str] = ORDERS, **more: Any
) -> int | None:
    """The watermark after two reports of the same progress, a second apart, the second at ``now``."""
    first = Watermark(clocked).advance(progress(event, processed, **more), now - 1_000)
    return first.advance(progress(event, processed, **{"reported": now - 500} | more), now).at


def test_the_streams_time_is_that_of_the_entities_with_an_event_time() -> None:
    assert stream_time({"orders": 5, "customers": 3}, {"orders"}) == 5
    assert stream_time({"orders": 5, "customers": 7}, {"orders"}) == 7
    assert stream_time({"orders": 5, "customers": 10**12}, {"orders"}) == 5
    assert stream_time({"customers": 10**12}, {"orders"}) == 10**12
    assert stream_time({}, {"orders"}) is None


def test_nothing_is_final_by_one_report_alone() -> None:
    first = Watermark(ORDERS).advance(progress({"orders": 5}, reported=NOW), NOW)
    assert (first.at, first.final_before(Grain.HOUR, 0)) == (None, None)


def test_the_event_times_of_a_report_count_once_every_worker_has_reported_again() -> None:
    first = Watermark(ORDERS).advance(progress({"orders": 5}, reported=NOW), NOW)
    early = progress({"orders": 7}, reported=NOW)
    assert first.advance(early, NOW + 1_000) is first
    second = first.advance(progress({"orders": 7}, reported=NOW + 1), NOW + 1_000)
    assert second.at == 5
    assert second.advance(progress({"orders": 9}, reported=NOW + 1_001), NOW + 2_000).at == 7


def test_nothing_becomes_final_without_workers_or_while_partitions_move_between_them() -> None:
    first = Watermark(ORDERS).advance(progress({"orders": 5}, reported=NOW), NOW)
    assert first.advance(progress({"orders": 5}, reported=None), NOW + 1_000) is first


def test_a_record_dated_tomorrow_closes_no_window_of_today() -> None:
    assert after({"orders": NOW + 20 * HOUR}) == NOW
    # A simulation that runs ahead of the clock is another matter.
    assert after({"orders": NOW + 3 * DAY}) == NOW + 3 * DAY


def test_silence_of_a_live_stream_goes_on_by_the_clock() -> None:
    event, later = {"orders": NOW - 5_000}, NOW + 2 * HOUR
    assert after(event, later, NOW) == later - 5_000
    assert after(event, NOW + MINUTE, NOW) == NOW - 5_000
    # A replay of another year that falls silent is over.
    assert after({"orders": NOW - DAY}, later, NOW) == NOW - DAY
    assert after({}, later) is None


@pytest.mark.parametrize(("caught_up", "closed"), [(False, False), (True, True)])
def test_a_stream_with_unread_records_or_without_producers_does_not_go_on_by_the_clock(
    *, caught_up: bool, closed: bool
) -> None:
    assert after({"orders": NOW - 5_000}, NOW + 2 * HOUR, NOW, caught_up=caught_up, closed=closed) == NOW - 5_000


def test_a_stream_of_which_something_was_processed_meanwhile_is_not_silent() -> None:
    later = NOW + 2 * HOUR
    first = Watermark(ORDERS).advance(progress({"orders": NOW - 5_000}, NOW), later - 1_000)
    assert first.advance(progress({"orders": NOW}, NOW + 1, reported=later), later).at == NOW - 5_000


def test_what_carries_no_time_makes_nothing_final_before_the_first_record_that_does() -> None:
    assert after({"customers": NOW}) is None
    assert after({"customers": NOW, "orders": 5}) == 5
    assert after({"customers": NOW}, clocked=frozenset()) == NOW


def test_partitions_with_unread_records_hold_the_watermark_back() -> None:
    assert after({"orders": NOW - HOUR}, behind=NOW - DAY, caught_up=False) == NOW - DAY
    assert after({"orders": NOW - DAY}, behind=NOW - HOUR, caught_up=False) == NOW - DAY
    # A partition without a batch yet.
    assert after({"orders": NOW - HOUR}, behind=0, caught_up=False) == 0


def test_the_watermark_falls_back_when_a_partition_with_older_records_turns_up() -> None:
    watermark = Watermark(ORDERS)
    for second in range(3):
        watermark = watermark.advance(progress({"orders": NOW - HOUR}, reported=NOW + second * 1_000 - 1), NOW + second * 1_000)
    assert watermark.at == NOW - HOUR
    late = progress({"orders": NOW - HOUR}, reported=NOW + 9_000, behind=NOW - DAY, caught_up=False)
    assert watermark.advance(late, NOW + 10_000).at == NOW - DAY


@pytest.mark.parametrize(
    ("grain", "grace", "final"),
    [(Grain.HOUR, 0, 2 * HOUR), (Grain.HOUR, 60, HOUR), (Grain.MINUTE, 60, 2 * HOUR - MINUTE), (Grain.DAY, 0, 0)],
)
def test_windows_are_final_a_grace_after_their_end(grain: Grain, grace: float, final: int) -> None:
    assert Watermark(ORDERS, at=NOW + 2 * HOUR).final_before(grain, grace) == (NOW + final) // 1000
