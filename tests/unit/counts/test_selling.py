"""An order counts once, by the state that the contract names; cancellations are counted apart."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_app.contract import Contract, load_shop
from stream_app.contract.model import Match, Severity
from stream_app.contract.summary import describe
from stream_app.counts.fields import Counts, parse
from stream_app.counts.summary import orders_of
from stream_app.counts.tally import Outcome, Tally
from stream_app.errors import DocumentError
from stream_app.judge import Judge
from tests.support.currencies import APART, contract, contract_text, sale
from tests.support.records import AS_OF, encoded

STATES = ["created", "paid", "shipped", "cancelled", None]
#: Several events of one order, with its state in the field `shop`.
PAID = replace(
    contract("{quantity: quantity, price: price, currency: EUR}"),
    uniques=(),
    required=(),
    sale=Match("shop", frozenset({"paid"})),
    cancellation=Match("shop", frozenset({"cancelled"})),
    listed={"shop": frozenset({"paid", "cancelled"})},
)


def counted(of: Contract, rows: list[dict[str, Any]], *, at_once: bool) -> tuple[Counts, set[str]]:
    tally, judge = Tally(of), Judge(of)
    if at_once:
        tally.add_all(judge.judge_all([encoded(row) for row in rows], [AS_OF] * len(rows)), [], str)
    else:
        for index, row in enumerate(rows):
            tally.add(judge.judge(encoded(row), AS_OF), "clean", str(index))
    return parse(tally.totals()), set().union(*tally.orders.values())


def test_created_paid_and_shipped_are_one_order_and_its_revenue_once() -> None:
    rows = [sale(1, 2, 5.0, "EUR", state) for state in ("created", "paid", "shipped")]
    for at_once in (True, False):
        counts, orders = counted(PAID, rows, at_once=at_once)
        assert (counts.clean, counts.sold, counts.revenue_minor, orders) == (3, 1, 1_000, {"1"})
        assert orders_of(describe(PAID), counts, len(orders)) == 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(-4, 9), st.integers(0, 999), st.sampled_from(STATES)), max_size=12),
    st.booleans(),
    st.booleans(),
)
def test_orders_revenue_and_cancellations_are_those_of_a_recount(rows: list[Any], by_currency: bool, at_once: bool) -> None:
    records = [sale(number, quantity, cents / 100, "EUR", state) for number, quantity, cents, state in rows]
    of = replace(PAID, revenue=contract(APART).revenue) if by_currency else PAID
    counts, orders = counted(of, records, at_once=at_once)
    paid = [row for row in rows if row[3] == "paid"]
    cancelled = [row for row in rows if row[3] == "cancelled"]
    revenue = sum(quantity * cents for _, quantity, cents, _ in paid)
    revenue += sum(min(0, quantity * cents) for _, quantity, cents, _ in cancelled)
    assert (counts.sold, counts.cancelled) == (len(paid), len(cancelled))
    assert orders == {str(number) for number, *_ in paid}
    assert (counts.revenue_by.get("EUR", 0) if by_currency else counts.revenue_minor) == revenue


@pytest.mark.parametrize("at_once", [True, False])
def test_the_revenue_of_segments_adds_up_to_the_whole(at_once: bool) -> None:
    rows = [sale(number, 1, float(number), "EUR", state) for number, state in enumerate(STATES, 1)]
    tally, judge = Tally(PAID), Judge(PAID)
    if at_once:
        tally.add_all(judge.judge_all([encoded(row) for row in rows], [AS_OF] * len(rows)), [], str)
    else:
        for row in rows:
            tally.add(judge.judge(encoded(row), AS_OF), "clean", "x")
    found: defaultdict[str, int] = defaultdict(int)
    for window in tally.minutes.values():
        for value, of in parse(window).segments["shop"].items():
            found[value] += of.revenue_minor
    assert {value: minor for value, minor in found.items() if minor} == {"paid": 200}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-4, 9), st.integers(1, 999), st.sampled_from(STATES)), max_size=12),
    st.booleans(),
    st.sampled_from(["clean", "rejected"]),
)
def test_value_at_risk_counts_an_order_once_as_revenue_does(rows: list[Any], by_currency: bool, outcome: Outcome) -> None:
    of = replace(PAID, revenue=contract(APART).revenue) if by_currency else PAID
    judge, tally, severity = Judge(of), Tally(of), Severity.ERROR if outcome == "rejected" else Severity.WARNING
    rule = replace(next(iter(of.rules.values())), field="id", severity=severity, kind="structure")
    for quantity, cents, state in rows:
        verdict = judge.judge(encoded(sale(1, quantity, cents / 100, "EUR", state)), AS_OF)
        verdict.findings = (rule,)
        tally.add(verdict, outcome, "x")
    counts = parse(tally.totals())
    worth = [
        abs(quantity * cents) if state == "paid" else max(0, -quantity * cents) if state == "cancelled" else 0
        for quantity, cents, state in rows
    ]
    found = counts.risk_by.get("EUR", 0) if by_currency else counts.risk_minor
    assert found == sum(worth)
    assert counts.unvalued == sum(state in ("paid", "cancelled") and not quantity for quantity, _, state in rows)
    assert sum(counts.at_risk_minor.values()) == (0 if by_currency else found)


def test_a_record_whose_state_is_in_doubt_has_no_worth_of_its_own() -> None:
    rule = replace(next(iter(PAID.rules.values())), field="shop", severity=Severity.ERROR, kind="structure")
    verdict, tally = Judge(PAID).judge(encoded(sale(1, 2, 5.0, "EUR", "piad")), AS_OF), Tally(PAID)
    verdict.findings = (rule,)
    tally.add(verdict, "rejected", "x")
    counts = parse(tally.totals())
    assert (counts.risk_minor, counts.unvalued, counts.at_risk_minor) == (0, 1, {})


def test_without_states_every_clean_record_is_an_order() -> None:
    counts, _ = counted(contract(APART), [sale(1, 1, 1.0, "EUR"), sale(2, 1, 1.0, "EUR")], at_once=True)
    assert (counts.sold, counts.cancelled, orders_of(describe(contract(APART)), counts, 0)) == (0, 0, 2)


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ("{property: sale, value: {field: quantity, values: [a]}}", "sale: quantity is an integer"),
        ("{property: sale, value: {field: shop, values: []}}", "values is not a list of strings"),
        ("{property: cancellation, value: {field: shop}}", "cancellation is not valid"),
        (
            (
                "{property: sale, value: {field: shop, values: [a]}}\n"
                "      - {property: cancellation, value: {field: shop, values: [a]}}"
            ),
            "'a' is a sale and a cancellation",
        ),
    ],
)
def test_a_wrong_state_is_refused(tmp_path: Path, properties: str, message: str) -> None:
    text = contract_text(APART).replace("{property: order, value: id}", f"{{property: order, value: id}}\n      - {properties}")
    (tmp_path / "orders.odcs.yaml").write_text(text)
    with pytest.raises(DocumentError, match=message):
        load_shop(tmp_path)


def test_visits_need_a_unique_id(tmp_path: Path) -> None:
    file = tmp_path / "orders.odcs.yaml"
    for field, refused in (("id", False), ("quantity", True)):
        name = f"{{property: order, value: id}}\n      - {{property: visit, value: {field}}}"
        file.write_text(contract_text(APART).replace("{property: order, value: id}", name))
        if refused:
            with pytest.raises(DocumentError, match="quantity is not unique"):
                load_shop(tmp_path)
        else:
            assert describe(load_shop(tmp_path).contracts["orders"]).visits


def test_visits_are_one_entity(tmp_path: Path) -> None:
    text = contract_text(APART).replace("{property: order, value: id}", "{property: visit, value: id}")
    for entity in ("orders", "others"):
        (tmp_path / f"{entity}.odcs.yaml").write_text(text.replace("name: orders", f"name: {entity}"))
    with pytest.raises(DocumentError, match="visits are in several entities"):
        load_shop(tmp_path)
