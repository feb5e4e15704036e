"""The average order value of the monitor is revenue ÷ orders, as in reports, also of orders that have several records."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from stream_app.contract import load_shop
from stream_app.contract.model import Match
from stream_app.counts.fields import parse
from stream_app.counts.window import Window
from stream_app.monitor import Change, Monitor, State
from stream_app.monitor.state import AverageState
from tests.support.paths import RETAIL
from tests.support.windows import HOUR, MONDAY, ORDERS, poisson, watch, window

LINES = load_shop(RETAIL).contracts["orders"]
HOURS, BEGIN, END = 20 * 24, 17 * 24 + 8, 18 * 24


def invoices(per_hour: float, change: str = "", seed: int = 3) -> Iterator[Window]:
    """Hours of invoices with about ten lines of 20.00 each; ``change``: what happens from BEGIN up to END."""
    rng = random.Random(seed)
    for hour in range(HOURS):
        orders = poisson(rng, per_hour)
        lines, worth = sum(1 + poisson(rng, 9) for _ in range(orders)), 2_000
        if BEGIN <= hour < END and change == "longer":
            lines *= 4
        if BEGIN <= hour < END and change == "split":
            # Each line is an invoice of its own: lines are as usual, orders are not.
            orders = lines
        revenue = sum(round(worth * rng.lognormvariate(0, 0.3)) for _ in range(lines))
        yield Window(MONDAY + hour * HOUR, parse({"in": lines, "clean": lines, "sold": lines, "rev": revenue}), orders)


def averages(windows: Iterator[Window]) -> list[Change]:
    return [one for one in watch(windows, LINES) if one.incident.metric == "average_order"]


@pytest.mark.parametrize("per_hour", [60.0, 7.0])
@pytest.mark.parametrize(("change", "direction"), [("longer", "high"), ("split", "low")])
def test_it_is_of_orders_and_not_of_records(per_hour: float, change: str, direction: str) -> None:
    """A record is worth as much as ever: an average of records would say nothing."""
    found = averages(invoices(per_hour, change))
    opened = [one.incident for one in found if one.kind == "opened"]
    assert [one.direction for one in opened] == [direction]
    assert MONDAY + BEGIN * HOUR <= opened[0].start <= MONDAY + (BEGIN + 4) * HOUR
    assert opened[0].expected == pytest.approx(20_000, rel=0.2)
    # Orders of the hours before may be among those of the first hour.
    assert opened[0].observed > 60_000 if change == "longer" else opened[0].observed < 7_000


@pytest.mark.parametrize("per_hour", [60.0, 7.0, 1.0])
def test_orders_as_usual_raise_no_incident(per_hour: float) -> None:
    assert averages(invoices(per_hour)) == []


def test_windows_with_few_orders_wait_for_the_next_ones() -> None:
    monitor, state = Monitor(LINES), None
    waits = []
    for each in invoices(1.0):
        state, _ = monitor.step(State.from_json(state.to_json()) if state is not None else None, each)
        assert isinstance(state.average, AverageState)
        waits.append((*state.average.waiting, len(state.average.values)))
    sums = orders = judged = 0
    for each, (waiting, revenue, values) in zip(invoices(1.0), waits, strict=True):
        orders, sums = orders + (each.orders or 0), sums + each.counts.revenue_minor
        if orders >= 3:
            orders, sums, judged = 0, 0, judged + 1
        assert (waiting, revenue) == (orders, sums)
        assert values <= judged
    assert judged > 100


def test_without_the_number_of_orders_nothing_is_said() -> None:
    assert averages(replace(one, orders=None) for one in invoices(60.0, "longer")) == []


def test_cancellations_and_other_states_are_not_averaged_over() -> None:
    """Half of the records are states of orders that are worth nothing: paid orders are worth what they were."""
    states = replace(ORDERS, segments=(), sale=Match("country", frozenset({"paid"})))
    plain, rng = [], random.Random(5)
    for hour in range(HOURS):
        sold, others = poisson(rng, 100), poisson(rng, 100 * (3 if BEGIN <= hour < END else 1))
        revenue = sum(round(2_000 * rng.lognormvariate(0, 0.3)) for _ in range(sold))
        plain.append(window(MONDAY + hour * HOUR, {"in": sold + others, "clean": sold + others, "sold": sold, "rev": revenue}))
    assert "average_order" not in {one.incident.metric for one in watch(plain, states)}
