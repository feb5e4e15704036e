"""Usual sales: a recount of the same hours in earlier weeks, without those of incidents."""

from __future__ import annotations

from statistics import mean
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.contract.read import load_shop
from stream_app.contract.summary import describe
from stream_app.monitor.incident import Incident
from stream_app.store.acts import new_act
from stream_app.store.queries import HourlySales
from stream_app.views.usual import FEWEST_WEEKS, MOST_WEEKS, read_usual, real, usual_of
from stream_app.windows.grain import Grain
from stream_app.windows.zone import Zone

CONTRACT = describe(load_shop(None).contracts["orders"])
WEEK, HOUR = 7 * 86_400, 3_600
#: A Monday, 00:00.
NOW = 4 * 86_400 + 2_900 * WEEK


def incident(start: int, end: int, metric: str = "volume", entity: str = "orders") -> Incident:
    return Incident(
        id=f"{entity}.{metric}.{start}", entity=entity, metric=metric, severity="error", state="closed", start=start, end=end,
        grain=Grain.HOUR, windows=1, observed=0, expected=1, low=1, high=2, unit="records", direction="low", segment=None,
        updated=end,
    )  # fmt: skip


@given(
    st.dictionaries(st.integers(-MOST_WEEKS * 168, 5), st.tuples(st.integers(0, 50), st.integers(-900, 9_000))),
    st.integers(1, 5),
    st.lists(st.tuples(st.integers(1, MOST_WEEKS), st.integers(0, 4)), max_size=12),
    st.integers(0, MOST_WEEKS),
)
def test_it_is_the_mean_of_the_hours_without_incidents(
    rows: dict[int, tuple[int, int]], hours: int, disturbed: list[tuple[int, int]], age: int
) -> None:
    sold = {NOW + at * HOUR: HourlySales(*row) for at, row in rows.items()}
    first, out = NOW - age * WEEK, {(back, hour) for back, hour in disturbed}
    incidents = [incident(at, at + HOUR) for back, hour in out if (at := NOW - back * WEEK + hour * HOUR)]
    found = usual_of(CONTRACT, "orders", (NOW, NOW + hours * HOUR), first, sold, incidents)
    calm = [[back for back in range(1, age + 1) if (back, hour) not in out] for hour in range(hours)]
    weeks = min(map(len, calm))
    if weeks < FEWEST_WEEKS:
        assert found is None
        return
    assert found is not None
    assert found.weeks == weeks
    expected = [[rows.get(hour - 168 * back, (0, 0)) for back in backs] for hour, backs in enumerate(calm)]
    assert found.orders == pytest.approx(sum(mean(row[0] for row in hour) for hour in expected))
    assert found.revenue_minor == pytest.approx(sum(mean(row[1] for row in hour) for hour in expected))
    assert found.observed_minor == sum(rows.get(hour, (0, 0))[1] for hour in range(hours))


def test_usual_orders_leave_out_what_is_no_order() -> None:
    """Two of ten clean records are cancellations, as orders of a range leave them out."""
    sold = {NOW - back * WEEK: HourlySales(10, 1_000, sold=8) for back in range(4)}
    contract = msgspec.structs.replace(CONTRACT, selects_sales=True)
    found = usual_of(contract, "orders", (NOW, NOW + HOUR), NOW - 3 * WEEK, sold, [])
    assert found is not None
    assert (found.orders, found.observed_orders) == (8, 8)
    everything = usual_of(CONTRACT, "orders", (NOW, NOW + HOUR), NOW - 3 * WEEK, sold, [])
    assert everything is not None
    assert everything.orders == 10


def test_an_incident_of_another_entity_or_about_something_else_does_not_count() -> None:
    sold = {NOW - back * WEEK: HourlySales(10, 1_000) for back in range(1, 4)}
    others = [incident(NOW - WEEK, NOW - WEEK + HOUR, entity="customers"), incident(NOW - WEEK, NOW, metric="null:coupon")]
    found = usual_of(CONTRACT, "orders", (NOW, NOW + HOUR), NOW - 3 * WEEK, sold, others)
    assert found is not None
    assert (found.weeks, found.orders, found.revenue) == (3, 10, 10.0)
    assert usual_of(CONTRACT, "orders", (NOW, NOW + HOUR), NOW - 3 * WEEK, sold, [incident(NOW - WEEK, NOW)]) is None


def test_hours_without_a_country_are_not_usual_and_those_of_a_false_alarm_are() -> None:
    sold = {NOW - back * WEEK: HourlySales(10, 1_000) for back in range(1, 4)}
    gone = incident(NOW - WEEK, NOW - WEEK + HOUR, metric="mix:country")
    assert usual_of(CONTRACT, "orders", (NOW, NOW + HOUR), NOW - 3 * WEEK, sold, [gone]) is None

    low = incident(NOW - WEEK, NOW - WEEK + HOUR, metric="volume")
    other = incident(NOW - 2 * WEEK, NOW - 2 * WEEK + HOUR, metric="volume")
    alarm = new_act(low, "false_alarm", "ann@example.org")
    assert real([low, other], [alarm]) == [other]
    again = msgspec.structs.replace(alarm, id="again", kind="reopened", at=alarm.at + 1)
    assert {one.id for one in real([low, other], [alarm, again])} == {low.id, other.id}


def test_the_same_hour_of_earlier_weeks_is_that_of_the_clocks() -> None:
    zone = Zone("Europe/Berlin")
    # Wednesday after the clocks were set back: 09:00 is 08:00 in UTC, and was 07:00 in the weeks before.
    now = 1_793_174_400
    sold = {zone.earlier(now, 7 * back): HourlySales(back, 100) for back in range(1, 9)}
    found = usual_of(CONTRACT, "orders", (now, now + HOUR), now - 10 * WEEK, sold, [], zone)

    assert found is not None
    assert {now - at for at in sold} == {back * WEEK + HOUR for back in range(1, 9)}
    assert found.orders == pytest.approx(4.5)
    utc = usual_of(CONTRACT, "orders", (now, now + HOUR), now - 10 * WEEK, sold, [])
    assert utc is not None
    assert utc.orders == 0


def test_amounts_of_several_currencies_have_no_usual_total() -> None:
    queries: Any = None  # nothing is read
    apart = msgspec.structs.replace(CONTRACT, currency=None, by_currency=True)
    assert read_usual(queries, {"orders": apart}, "orders", NOW - 8 * WEEK, NOW, NOW + HOUR) is None
