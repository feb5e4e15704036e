"""Money is counted and shown in the minor units that ISO 4217 gives its currency: three digits, none, or two."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dashboard.text import formats as pages
from dashboard.text.incidents import amount
from headrace.cli import formats as terminal
from reporter.formats import render
from reporter.texts import texts
from stream_app.contract import Contract
from stream_app.contract.money import digits, minor_units
from stream_app.contract.summary import describe
from stream_app.counts.fields import REVENUE
from stream_app.counts.summary import EntityTotals, summarise
from stream_app.counts.tally import Tally
from stream_app.judge import Judge
from stream_app.monitor.wording import figure
from tests.support.records import AS_OF, encoded, order, shop
from tests.support.records import broken as rules_of


def contract_in(currency: str) -> Contract:
    contract = shop("built-in").contracts["orders"]
    assert contract.revenue is not None
    return replace(contract, revenue=replace(contract.revenue, currency=currency))


@pytest.mark.parametrize(
    ("currency", "price", "minor", "revenue"),
    [("KWD", 1.234, 2_468, 2.468), ("JPY", 150.0, 300, 300.0), ("USD", 1.23, 246, 2.46), ("CLF", 0.1234, 2_468, 0.2468)],
)
def test_revenue_is_exact_in_the_smallest_unit(currency: str, price: float, minor: int, revenue: float) -> None:
    contract, raws = contract_in(currency), [encoded(order(price=price))] * 3
    one_by_one, at_once = Tally(contract), Tally(contract)
    for raw in raws:
        one_by_one.add(Judge(contract).judge(raw, AS_OF), "clean", "orders:0:0")
    verdicts = Judge(contract).judge_all(list(raws), [AS_OF] * 3)
    assert rules_of(verdicts[0]) == []
    at_once.add_all(verdicts, [], lambda index: f"orders:0:{index}")
    for tally in (one_by_one, at_once):
        assert tally.totals()[REVENUE] == 3 * minor
    summary = describe(contract)
    found = summarise({"orders": summary}, {"orders": EntityTotals(revenue_minor=minor)})
    assert (found["kpis"]["revenue"], found["kpis"]["currency"]) == (revenue, currency)


@pytest.mark.parametrize(
    ("currency", "shown"),
    [("KWD", "1,234.567 KWD"), ("JPY", "1,234,567 JPY"), ("CHF", "12,345.67 CHF"), ("UYW", "123.4567 UYW")],
)
def test_every_output_shows_the_digits_of_the_currency(currency: str, shown: str) -> None:
    minor, units = 1_234_567, 1_234_567 / minor_units(currency)
    assert terminal.money(units, currency) == shown
    assert f"{figure(minor, 'money', currency)} {currency}" == shown
    assert render(minor, f"money:{currency}", texts("en")) == shown


def test_pages_show_them_for_small_amounts() -> None:
    assert pages.money(1.234, "KWD") == "1.234 KWD"
    assert pages.money(150.0, "JPY") == "¥150"
    assert amount(1_234, "money", "KWD") == "1.234 KWD"


def test_the_digits_are_those_of_iso_4217() -> None:
    known: dict[str | None, Any] = {"USD": 2, "EUR": 2, "KRW": 0, "XAF": 0, "TND": 3, "BHD": 3, "CLF": 4, None: 2}
    assert {one: digits(one) for one in known} == known
