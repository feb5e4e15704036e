"""A range with a running window is compared with what was as long before, window by window: against a recount of records."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.contract.summary import ContractSummary
from stream_app.counts.fields import parse
from stream_app.counts.window import Window
from stream_app.store.cardinality import Cardinality
from stream_app.store.spans import Cut
from stream_app.views.figures import Figures
from stream_app.views.kpis import kpis_of
from stream_app.views.quality import quality_view_of
from stream_app.views.ranges import TimeRange, compared, cuts_of, span_of
from stream_app.views.reading import RangeCounts, Stream
from stream_app.views.totals import quality_of
from stream_app.windows.grain import Grain, Span

BEGIN = 1_767_571_200  # a Monday
CONTRACT = ContractSummary("orders", "1", customer="customer_id", revenue=True, currency="USD", order_unique=True)
RANGES = [TimeRange.LAST_15_MINUTES, TimeRange.LAST_HOUR, TimeRange.LAST_DAY, TimeRange.LAST_WEEK, TimeRange.LAST_30_DAYS]


def read_of(chosen: TimeRange, moments: list[int], now: int) -> RangeCounts:
    """A range over orders at these moments (s), each worth 1.00; the first record is old enough."""
    span = span_of(chosen, BEGIN, now)
    starts = Counter(span.grain.start(moment) for moment in moments if moment <= now)
    windows = tuple(
        Window(start, parse({"in": str(number), "clean": str(number), "rev": str(100 * number)}))
        for start, number in sorted(starts.items())
    )
    stream = Stream(read_at=0, contracts={"orders": CONTRACT}, stream_ms=now * 1000)
    distinct: dict[Cut, Cardinality] = {
        ("customers", *cut): Cardinality(sum(cut[0] <= moment < cut[1] for moment in moments if moment <= now))
        for cut in cuts_of(span, now)
    }
    return RangeCounts(stream, chosen, span, BEGIN, {"orders": windows}, distinct)


@given(st.sampled_from(RANGES), st.lists(st.integers(0, 70 * 86_400), max_size=60), st.integers(61 * 86_400, 70 * 86_400))
def test_a_change_is_that_of_the_same_complete_windows(chosen: TimeRange, offsets: list[int], now: int) -> None:
    moments, now, length = [BEGIN + one for one in offsets], BEGIN + now, chosen.seconds
    assert length is not None
    read = read_of(chosen, moments, now)
    figures = Figures(read)
    kpis = kpis_of(figures, quality_of(figures.contracts, figures.counts))
    # The recount: the range ends with the window that runs; what is compared ends before it.
    end = now // chosen.grain.seconds * chosen.grain.seconds
    start = end + chosen.grain.seconds - length
    expected = sum(start <= one <= now for one in moments)
    now_complete = sum(start <= one < end for one in moments)
    as_long_before = sum(start - length <= one < end - length for one in moments)
    for kpi in (kpis.revenue, kpis.orders, kpis.active_customers, quality_view_of(read).kpis().received):
        assert (kpi.value, kpi.compared, kpi.previous) == (expected, now_complete, as_long_before)
        assert kpi.change == ((now_complete - as_long_before) / as_long_before if as_long_before else None)


def test_steady_trade_has_no_change_in_the_middle_of_an_hour() -> None:
    """With the running hour it would have fallen by three quarters of an hour's trade."""
    now = BEGIN + 10 * 86_400 + 15 * 60
    read = read_of(TimeRange.LAST_DAY, list(range(BEGIN, now, 60)), now)
    figures = Figures(read)
    revenue = kpis_of(figures, quality_of(figures.contracts, figures.counts)).revenue
    assert (revenue.value, revenue.change) == (23 * 60 + 15, 0.0)


@pytest.mark.parametrize("seconds", [0, 5, 3_599])
def test_a_first_window_that_is_still_running_is_not_compared(seconds: int) -> None:
    span = Span(Grain.HOUR, BEGIN, BEGIN + 86_400, BEGIN - 86_400)
    assert compared(span, BEGIN + seconds) is None
    assert compared(span, BEGIN + 3_600 + seconds) == ((BEGIN, BEGIN + 3_600), (BEGIN - 86_400, BEGIN - 86_400 + 3_600))


def test_without_visits_there_is_no_conversion_rate() -> None:
    now = BEGIN + 40 * 86_400
    figures = Figures(read_of(TimeRange.LAST_DAY, list(range(BEGIN, now, 600)), now))
    kpis = kpis_of(figures, quality_of(figures.contracts, figures.counts))
    assert kpis.visits is None
    rate = kpis.conversion_rate
    assert (rate.value, rate.compared, rate.previous, rate.difference) == (None, None, None, None)


@given(
    st.sampled_from(RANGES),
    st.lists(st.integers(0, 70 * 86_400), max_size=40),
    st.lists(st.integers(0, 70 * 86_400), max_size=60),
    st.integers(61 * 86_400, 70 * 86_400),
)
def test_the_conversion_rate_is_orders_by_visits_of_the_same_windows(
    chosen: TimeRange, orders: list[int], visits: list[int], now: int
) -> None:
    sold, seen, now, length = [BEGIN + one for one in orders], [BEGIN + one for one in visits], BEGIN + now, chosen.seconds
    assert length is not None
    read, visited = read_of(chosen, sold, now), read_of(chosen, seen, now)
    contracts = {"orders": CONTRACT, "visits": ContractSummary("visits", "1", visits=True)}
    windows = {"orders": read.windows["orders"], "visits": visited.windows["orders"]}
    read = replace(read, stream=replace(read.stream, contracts=contracts), windows=windows)
    figures = Figures(read)
    kpis = kpis_of(figures, quality_of(figures.contracts, figures.counts))
    end = now // chosen.grain.seconds * chosen.grain.seconds
    start = end + chosen.grain.seconds - length

    def rate(begin: int, until: int) -> float | None:
        number = sum(begin <= one < until for one in seen)
        return sum(begin <= one < until for one in sold) / number if number else None

    found = kpis.conversion_rate
    assert kpis.visits == sum(start <= one <= now for one in seen)
    assert (found.value, found.compared, found.previous) == (
        rate(start, now + 1),
        rate(start, end),
        rate(start - length, end - length),
    )


@pytest.mark.parametrize(("before", "difference"), [(990, None), (900, 0.1)])
def test_a_conversion_rate_of_estimated_orders_is_an_estimate_too(before: int, difference: float | None) -> None:
    now = BEGIN + 40 * 86_400
    read = read_of(TimeRange.LAST_DAY, list(range(BEGIN, now, 600)), now)
    assert read.comparison is not None
    assert read.span is not None
    cuts = {read.comparison[0]: 1_000, read.comparison[1]: before, (read.span.start, read.span.end): 1_000}
    contracts = {"orders": msgspec.structs.replace(CONTRACT, order="id", order_unique=False),
                 "visits": ContractSummary("visits", "1", visits=True)}  # fmt: skip
    visited = tuple(Window(one.start, parse({"in": "1000", "clean": "1000"})) for one in read.windows["orders"])
    windows = {"orders": read.windows["orders"], "visits": visited}
    distinct: dict[Cut, Cardinality] = {("orders", *cut): Cardinality(number, estimated=True) for cut, number in cuts.items()}
    stream = replace(read.stream, contracts=contracts)
    figures = Figures(replace(read, stream=stream, windows=windows, distinct=distinct))
    rate = kpis_of(figures, quality_of(figures.contracts, figures.counts)).conversion_rate
    assert rate.estimated
    assert rate.compared is not None
    assert rate.difference == (None if difference is None else pytest.approx(difference * rate.compared))


@pytest.mark.parametrize(("before", "estimated", "change"), [
    (990, (True, True), None), (990, (False, False), 10 / 990), (900, (True, True), 100 / 900), (960, (False, True), 40 / 960),
])  # fmt: skip
def test_a_change_within_the_error_of_an_estimate_is_none(
    before: int, estimated: tuple[bool, bool], change: float | None
) -> None:
    now = BEGIN + 40 * 86_400
    read = read_of(TimeRange.LAST_DAY, list(range(BEGIN, now, 600)), now)
    assert read.comparison is not None
    now_cut, before_cut = read.comparison
    counted: dict[Cut, Cardinality] = {
        ("customers", *now_cut): Cardinality(1_000, estimated[0]),
        ("customers", *before_cut): Cardinality(before, estimated[1]),
    }
    figures = Figures(replace(read, distinct={**read.distinct, **counted}))
    kpi = kpis_of(figures, quality_of(figures.contracts, figures.counts)).active_customers
    assert kpi.unclear == (change is None)
    assert kpi.change == (None if change is None else pytest.approx(change))
    assert not kpi.estimated, "the range itself is exact"
