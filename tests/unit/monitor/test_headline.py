"""The title of an incident says in words what happened, where, since when, and what it is worth."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.monitor import Incident
from stream_app.monitor.headline import added, effect, headline, share, short_money, what
from stream_app.windows.grain import Grain
from tests.support.windows import HOUR, MONDAY

UK = ("country", "United Kingdom", 0.0, 0.98)


def incident(metric: str = "volume", **changes: Any) -> Incident:
    usual: dict[str, Any] = {
        "id": f"orders.{metric}.0", "entity": "orders", "metric": metric, "severity": "error", "state": "open",
        "start": MONDAY + 8 * HOUR, "end": MONDAY + 14 * HOUR, "grain": Grain.HOUR, "windows": 6, "observed": 4.0,
        "expected": 100.0, "low": 70.0, "high": 130.0, "unit": "records", "direction": "low", "segment": None,
        "updated": MONDAY + 14 * HOUR,
    }  # fmt: skip
    return Incident(**usual | changes)


def test_the_title_says_what_where_since_when_and_how_much() -> None:
    gone = incident(segment=UK, effect=-4_987_600.0)
    assert headline(gone, "USD") == "No orders from United Kingdom since 5 Jan 08:00, about $50k below expected"


def test_a_closed_incident_says_from_when_to_when() -> None:
    over = incident(state="closed", observed=0.0)
    assert headline(over) == "No orders, 5 Jan 08:00 to 14:00"
    longer = incident(state="closed", observed=0.0, end=MONDAY + 30 * HOUR)
    assert headline(longer) == "No orders, 5 Jan 08:00 to 6 Jan 06:00"


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (incident(), "96 % fewer orders than expected"),
        (incident(sums=(6, 120.0, 600.0)), "80 % fewer orders than expected"),
        (incident(segment=("channel", "app", 0.1, 1.0)), "90 % fewer orders with channel app"),
        (incident(direction="high", observed=320.0), "3.2 times as many orders as expected"),
        (incident(segment=("customer_id.country", "France", 0.0, 1.0)), "no orders from France"),
        (incident(segment=("product_id.category", "Toys", 0.0, 1.0)), "no orders with category Toys"),
        (incident("mix:country", unit="share", segment=("country", "France", 0.0, 0.2)), "no orders from France"),
        (incident("mix:country", segment=("country", "France", 0.6, 0.2)), "60 % of orders are from France (usually 20 %)"),
        (incident("revenue", observed=700.0, expected=1_000.0), "revenue of orders is 30 % below expected"),
        (incident("average_order", observed=9_800.0), "average order value of orders is 98 times what is expected"),
        (incident("conformity", observed=0.56, expected=0.98, unit="share"), "44 % of orders rejected (usually 2 %)"),
        (
            incident("finding:price.type", observed=0.12, expected=0.003, unit="share"),
            "price.type in 12 % of orders (usually 0.3 %)",
        ),
        # A share of one segment value's records is not that of all.
        (
            incident("conformity", observed=0.9, expected=0.98, unit="share", segment=("country", "France", 0.44, 0.02)),
            "44 % of orders from France rejected (elsewhere 2 %)",
        ),
        (
            incident("finding:price.type", observed=0.1, unit="share", segment=("country", "France", 0.5, 0.01)),
            "price.type in 50 % of orders from France (elsewhere 1 %)",
        ),
        (incident("null:coupon", observed=0.7, expected=0.05), "coupon is empty in 70 % of orders (usually 5 %)"),
        (incident("drift:price:vanished", observed=0.98), "price is missing in 98 % of orders"),
        (incident("drift:channel:appeared", observed=1.0), "unknown field channel in 100 % of orders"),
        (incident("threshold:few"), "promise few of orders is broken"),
        (incident("lost:3", observed=120.0), "at most 120 orders were deleted before they were read (partition 3)"),
        (incident("brand_new"), "brand_new of orders is low"),
    ],
)  # fmt: skip
def test_each_metric_has_its_sentence(found: Incident, words: str) -> None:
    assert what(found) == words


@pytest.mark.parametrize(
    ("amount", "currency", "words"),
    [(49_876, "USD", "$50k"), (1_234_567, "GBP", "£1.2M"), (934, "CHF", "930 CHF"), (123_456, "EUR", "€120k"), (7, None, "7")],
)
def test_money_has_two_significant_digits(amount: float, currency: str | None, words: str) -> None:
    assert short_money(amount, currency) == words


def test_money_that_is_unknown_or_next_to_nothing_is_left_out() -> None:
    assert effect(incident(), "USD") == ""
    assert effect(incident(effect=-40.0), "USD") == ""
    assert effect(incident(effect=-4_000.0), "JPY") == "about ¥4k below expected"
    assert effect(incident(direction="high", effect=4_000.0), "USD") == "about $40 above expected"


def test_a_cumulative_alarm_says_what_it_adds_up() -> None:
    assert added(incident(sums=(6, 120.0, 600.0))) is None
    assert added(incident(sums=(12, 780.0, 1_140.0), crept=True)) == (12, 780.0, 1_140.0)
    assert added(incident("null:coupon", unit="share", sums=(4, 0.4, 0.2), crept=True)) == (4, 0.1, 0.05)


@given(
    st.sampled_from(["volume", "revenue", "average_order", "conformity", "finding:a.b", "null:a", "mix:a", "drift:a:text"]),
    st.floats(0, 1e9), st.one_of(st.none(), st.floats(-1e9, 1e9)), st.sampled_from(["low", "high", "changed"]),
    st.sampled_from(["records", "money", "share"]), st.one_of(st.none(), st.floats(-1e12, 1e12)),
)  # fmt: skip
def test_every_incident_has_a_title_and_a_share(
    metric: str, observed: float, expected: float | None, direction: str, unit: str, money: float | None
) -> None:
    one = incident(metric, observed=observed, expected=expected, direction=direction, unit=unit, effect=money)
    assert headline(one, "USD")
    assert "e+" not in headline(one, "USD")
    assert 0 <= share(one) <= 1
