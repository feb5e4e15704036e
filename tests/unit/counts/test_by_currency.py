"""Money of several currencies is counted and shown by currency, or converted at the contract's rates: never a mixed sum."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from dashboard.text import formats
from headrace.cli.status_table import table
from reporter.compute import compute
from reporter.material import Health, Material
from reporter.texts import texts
from stream_app.contract import Contract, load_shop
from stream_app.contract.money import minor_units
from stream_app.contract.summary import describe
from stream_app.counts.fields import Counts, parse
from stream_app.counts.summary import EntityTotals, summarise
from stream_app.counts.tally import Tally
from stream_app.errors import DocumentError
from stream_app.judge import Judge
from stream_app.monitor.state import State
from stream_app.store.period import PeriodCounts
from stream_app.views.totals import totals_of
from tests.support.currencies import APART, CONVERTED, LISTED, contract, contract_text, sale
from tests.support.records import AS_OF, encoded

RATES = {"EUR": Decimal(1), "JPY": Decimal("0.0061"), "KWD": Decimal("3.01")}
MIXED = [sale(1, 1, 10.0, "EUR"), sale(2, 3, 500.0, "JPY"), sale(3, 1, 1.234, "KWD")]


def counted(of: Contract, rows: list[dict[str, Any]], *, at_once: bool = True) -> Counts:
    """Count records as workers do: a batch, or each for itself."""
    tally, judge = Tally(of), Judge(of)
    if at_once:
        verdicts = judge.judge_all([encoded(row) for row in rows], [AS_OF] * len(rows))
        tally.add_all(verdicts, [], lambda index: f"orders:0:{index}")
    else:
        for index, row in enumerate(rows):
            verdict = judge.judge(encoded(row), AS_OF)
            tally.add(verdict, "rejected" if verdict.body is None else "clean", f"orders:0:{index}")
    return parse(tally.totals())


def test_ten_euros_a_thousand_yen_and_a_dinar_are_not_one_sum() -> None:
    counts = counted(contract(APART), MIXED)
    assert counts.revenue_by == {"EUR": 1_000, "JPY": 1_500, "KWD": 1_234}
    assert counts.revenue_minor == 0
    found = summarise({"orders": describe(contract(APART))}, {"orders": _totals(counts)})["kpis"]
    assert (found["revenue"], found["currency"], found["rates"]) == (None, None, {})
    assert found["revenue_by_currency"] == {"EUR": 10.0, "JPY": 1500.0, "KWD": 1.234}


def test_the_rates_of_the_contract_give_one_converted_total() -> None:
    counts = counted(contract(CONVERTED), MIXED)
    assert counts.revenue_by == {"EUR": 1_000, "JPY": 1_500, "KWD": 1_234}
    # 10 EUR, 1,500 × 0.0061 = 9.15 EUR and 1.234 × 3.01 = 3.71 EUR.
    assert counts.revenue_minor == 1_000 + 915 + 371
    found = summarise({"orders": describe(contract(CONVERTED))}, {"orders": _totals(counts)})["kpis"]
    assert (found["revenue"], found["currency"]) == (22.86, "EUR")
    assert found["rates"] == {"EUR": 1.0, "JPY": 0.0061, "KWD": 3.01}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(-3, 40),
            st.integers(0, 10**6).map(lambda price: price / 1000),
            st.sampled_from(["EUR", "JPY", "KWD", "CHF", "eur", "", None]),
            st.sampled_from(["A", None]),
            st.booleans(),
        ),
        max_size=12,
    ),
    st.sampled_from([APART, CONVERTED]),
    st.booleans(),
)
def test_sums_by_currency_are_those_of_a_recount(rows: list[Any], revenue: str, at_once: bool) -> None:
    records = [
        sale((1 if cheap else 900) + index, quantity, price, currency, shop)
        for index, (quantity, price, currency, shop, cheap) in enumerate(rows)
    ]
    sold: defaultdict[str, int] = defaultdict(int)
    risk: defaultdict[str, int] = defaultdict(int)
    converted = unvalued = 0
    for row in records:
        if row["currency"] not in RATES or (row["shop"] is None and row["id"] >= 900):
            unvalued += 1
            continue
        exact = Decimal(repr(row["quantity"] * row["price"] * minor_units(row["currency"])))
        minor = int(exact.quantize(Decimal(1), ROUND_HALF_EVEN))
        if row["shop"] is not None:
            sold[row["currency"]] += minor
            converted += round(row["quantity"] * row["price"] * (float(RATES[row["currency"]]) * 100))
        if row["shop"] is None:
            risk[row["currency"]] += abs(minor)
            unvalued += not minor
        elif row["id"] >= 900:
            # The contract doubts the whole record.
            unvalued += 1
    counts = counted(contract(revenue), records, at_once=at_once)
    assert counts.revenue_by == {currency: minor for currency, minor in sold.items() if minor}
    assert counts.risk_by == {currency: minor for currency, minor in risk.items() if minor}
    assert counts.revenue_minor == (converted if revenue == CONVERTED else 0)
    assert revenue == CONVERTED or not counts.risk_minor
    assert counts.segments == {}


def test_a_segment_has_no_mixed_revenue() -> None:
    tally = Tally(contract(APART))
    verdicts = Judge(contract(APART)).judge_all([encoded(row) for row in MIXED], [AS_OF] * 3)
    tally.add_all(verdicts, [], lambda index: f"orders:0:{index}")
    [window] = tally.minutes.values()
    assert [one.revenue_minor for one in parse(window).segments["shop"].values()] == [0]
    assert not [name for name in window if "rev" in name]


def test_value_at_risk_is_a_total_for_each_currency() -> None:
    rows = [{**row, "shop": None} for row in MIXED]
    summary = {"orders": describe(contract(APART))}
    totals = totals_of(summary, {"orders": counted(contract(APART), rows)})
    assert (totals.at_risk_minor, dict(totals.at_risk_by)) == (None, {"EUR": 1_000, "JPY": 1_500, "KWD": 1_234})
    converted = totals_of({"orders": describe(contract(CONVERTED))}, {"orders": counted(contract(CONVERTED), rows)})
    assert converted.at_risk_minor == 2_286


def test_the_monitor_watches_money_in_one_currency_only() -> None:
    assert State.new(contract(APART)).revenue is None
    assert State.new(contract(CONVERTED)).revenue is not None
    assert State.new(contract(APART)).fits(contract(APART))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (contract_text(APART, required=False), "currency may be empty"),
        (contract_text(APART, quality=""), "may hold something else than a currency"),
        (contract_text(CONVERTED, quality="", options="\n        logicalTypeOptions: {format: currency}"), "has no rate"),
        (contract_text(CONVERTED.replace("KWD: 3.01", "CHF: 1.1")), "has no rate; add KWD"),
        (contract_text(APART, quality=LISTED.replace("KWD", "XYZ")), "unknown currency 'XYZ'"),
        (contract_text(CONVERTED.replace("3.01", "0")), "not a rate"),
        (contract_text(CONVERTED.replace("KWD: 3.01", "EUR: 2, KWD: 3")), "one EUR is worth one EUR"),
        (contract_text("{quantity: quantity, price: price}"), "revenue is not valid"),
        (contract_text("{quantity: quantity, price: price, currencyField: currency, currency: EUR}"), "revenue is not valid"),
        (contract_text("{quantity: quantity, price: price, currencyField: nothing}"), "has no field 'nothing'"),
    ],
)
def test_a_contract_with_amounts_of_no_known_currency_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "orders.odcs.yaml").write_text(text)
    with pytest.raises(DocumentError, match=message):
        load_shop(tmp_path)


def test_a_format_is_enough_without_rates(tmp_path: Path) -> None:
    text = contract_text(APART, quality="", options="\n        logicalTypeOptions: {format: currency}")
    (tmp_path / "orders.odcs.yaml").write_text(text)
    counts = counted(load_shop(tmp_path).contracts["orders"], [*MIXED, sale(4, 1, 5.0, "CHF"), sale(5, 1, 5.0, "XYZ")])
    assert counts.revenue_by == {"EUR": 1_000, "JPY": 1_500, "KWD": 1_234, "CHF": 500}


def test_the_terminal_and_pages_show_each_currency() -> None:
    amounts = {"EUR": 10.0, "JPY": 1500.0, "KWD": 1.234}
    assert formats.each(amounts) == "€10.00 · ¥1,500 · 1.234 KWD"
    assert "10.00 EUR + 1,500 JPY + 1.234 KWD" in _printed(APART)
    assert "22.86 EUR (converted: 10.00 EUR + 1,500 JPY + 1.234 KWD)" in _printed(CONVERTED)
    rates = describe(contract(CONVERTED)).rates
    assert formats.converted(rates, "EUR") == "Converted to EUR at the contract's rates: 1 JPY is 0.0061 EUR, 1 KWD is 3.01 EUR"


@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_reports_have_a_figure_for_each_currency(language: str) -> None:
    apart, converted = _facts(APART, language), _facts(CONVERTED, language)
    assert not apart.has("sales.revenue")
    assert not apart.has("sales.average")
    assert apart.rendering("sales.revenue_KWD") == converted.rendering("sales.revenue_KWD")
    assert (apart.all["sales.revenue_JPY"].value, apart.all["sales.revenue_JPY"].unit) == (1_500, "money:JPY")
    assert (converted.all["sales.revenue"].value, converted.all["sales.revenue"].unit) == (2_286, "money:EUR")
    assert "EUR" in converted.all["sales.revenue"].label


def _totals(counts: Counts) -> EntityTotals:
    return EntityTotals.of(counts, active_customers=0, orders=counts.clean, known=0)


def _printed(revenue: str) -> str:
    found = summarise({"orders": describe(contract(revenue))}, {"orders": _totals(counted(contract(revenue), MIXED))})
    console = Console(width=140, force_terminal=False)
    rest = {"freshness": {}, "lag": {}, "workers": 1, "memory": None}
    with console.capture() as capture:
        console.print(table(found | rest, datetime(2024, 5, 2, tzinfo=UTC)))
    return capture.get()


def _facts(revenue: str, language: str) -> Any:
    material = Material(
        start=1_714_521_600,
        end=1_714_608_000,
        contracts={"orders": describe(contract(revenue))},
        counts={"orders": PeriodCounts(counted(contract(revenue), MIXED), 0, 3)},
        before=None,
        incidents=(),
        health=Health(1, 0, 0, 1_714_608_000),
    )
    return compute(material, texts(language))


@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_reports_show_cancellations_apart(language: str) -> None:
    assert not _facts(APART, language).has("sales.cancelled")
    summary = msgspec.structs.replace(describe(contract(CONVERTED)), selects_sales=True)
    counts = PeriodCounts(Counts(received=5, clean=5, sold=3, cancelled=2, revenue_minor=300), 0, 3)
    facts = compute(
        Material(1_714_521_600, 1_714_608_000, {"orders": summary}, {"orders": counts}, None, (), Health(1, 0, 0, None)),
        texts(language),
    )
    assert [facts.number(f"sales.{name}") for name in ("orders", "cancelled", "average")] == [3, 2, 100]
