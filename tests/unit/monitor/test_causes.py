"""Incidents of one cause are one entry, and what is worth most comes first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream_app.monitor import Incident
from stream_app.monitor.causes import cause_of, causes, title
from tests.support.windows import HOUR, MONDAY
from tests.unit.monitor.test_headline import UK, incident


def at(metric: str, hour: int, **changes: object) -> Incident:
    start = MONDAY + hour * HOUR
    return incident(metric, id=f"orders.{metric}.{start}", start=start, end=start + 6 * HOUR, **changes)


def test_a_country_that_is_gone_is_one_cause_named_by_it() -> None:
    volume = at("volume", 8, segment=UK)
    mix = at("mix:country", 9, unit="share", segment=("country", "United Kingdom", 0.0, 0.5))
    (cause,) = causes([mix, at("revenue", 8, unit="money"), volume])
    assert cause.lead == volume
    assert {one.metric for one in cause.details} == {"mix:country", "revenue"}


def test_a_renamed_field_explains_what_is_rejected_for_it() -> None:
    field = at("drift:price:vanished", 8, unit="share", severity="error")
    (cause,) = causes([at("conformity", 8, unit="share"), at("finding:price.required", 8, unit="share"), field])
    assert cause.lead == field


def test_what_began_at_another_time_or_of_another_entity_is_another_cause() -> None:
    other = incident("revenue", id="customers.revenue.0", entity="customers")
    assert len(causes([at("volume", 8), at("revenue", 12), other])) == 3


def test_errors_come_first_then_money_then_share() -> None:
    small, large = at("volume", 1, effect=-100.0), at("volume", 20, effect=-9_000.0)
    warning = at("volume", 40, severity="warning", effect=-1e9)
    without = at("volume", 60, observed=50.0)
    assert [cause.lead for cause in causes([warning, small, without, large])] == [large, small, without, warning]


def test_the_title_of_a_cause_has_its_whole_time_its_money_and_what_is_wrong_with_the_records() -> None:
    volume = at("volume", 9, segment=UK, effect=-3_700_000.0)
    mix = at("mix:country", 8, unit="share", segment=("country", "United Kingdom", 0.0, 0.5), effect=-3_800_000.0)
    (gone,) = causes([volume, mix])
    assert gone.lead == volume
    assert title(gone, "USD") == "No orders from United Kingdom since 5 Jan 08:00, about $38k below expected"

    dear = at("average_order", 9, unit="money", observed=9_800.0, direction="high", effect=230_000_000.0, state="closed")
    wrong = at("finding:price_deviation", 9, unit="share", observed=0.99, expected=0.001, direction="high", state="closed")
    (prices,) = causes([wrong, dear])
    assert title(prices, "USD") == (
        "Average order value of orders is 98 times what is expected: price_deviation in 99 % of orders, 5 Jan 09:00 to 15:00, "
        "about $2.3M above expected"
    )

    missing = at("drift:price:vanished", 9, unit="share", observed=0.98)
    instead = at("drift:unit_price:appeared", 9, unit="share", observed=0.97)
    other = at("drift:channel:appeared", 9, unit="share", observed=0.3)
    (renamed,) = causes([other, instead, missing])
    assert ": unknown field unit_price in 97 % of orders" in title(renamed)


def test_records_that_are_sent_again_are_more_records_of_the_same_cause() -> None:
    more = at("volume", 9, direction="high", observed=160.0)
    rejected = at("conformity", 8, unit="share", observed=0.6, expected=0.99)
    again = at("finding:order_id.unique", 8, unit="share", observed=0.4, direction="high")
    (cause,) = causes([more, again, rejected])
    assert cause.lead == rejected
    assert cause.reason == again
    # Without repeats, more records are a cause of their own.
    assert {one.lead for one in causes([more, rejected])} == {more, rejected}


def test_less_revenue_of_more_records_is_chance() -> None:
    (cause,) = causes([at("volume", 8, direction="high", effect=-120_000.0)])
    assert cause.effect is None
    assert "expected," not in title(cause, "USD")


METRICS = st.sampled_from(
    ["volume", "revenue", "mix:country", "conformity", "finding:a", "finding:b", "null:a", "drift:a:text"]
)


@given(st.lists(st.tuples(METRICS, st.integers(0, 12), st.sampled_from([None, UK])), unique_by=lambda one: one[:2]))
def test_each_incident_is_in_exactly_one_cause_whatever_the_order(
    rows: list[tuple[str, int, tuple[str, str, float, float]]],
) -> None:
    made = [at(metric, hour, segment=segment) for metric, hour, segment in rows]
    found = causes(made)
    assert sorted(one.id for cause in found for one in cause.all) == sorted(one.id for one in made)
    assert causes(made[::-1]) == found
    for one in made:
        cause = cause_of(found, one.id)
        assert cause is not None
        assert one in cause.all
