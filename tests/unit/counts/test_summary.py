"""The arithmetic that people read: conformity, quality and the shop's key numbers."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.contract.summary import ContractSummary, RuleSummary
from stream_app.counts.fields import Counts
from stream_app.counts.summary import EntityTotals, Quality, at_risk, conformity, overall_quality, quality, summarise


def contract(**more: object) -> ContractSummary:
    rules = {
        "a.required": RuleSummary("completeness", "error"),
        "b.required": RuleSummary("completeness", "error"),
        "b.type": RuleSummary("conformity", "warning"),
        "b.hint": RuleSummary("accuracy", "info"),
    }
    return ContractSummary(id="c", version="1.0.0", rules=rules, **more)  # type: ignore[arg-type]


def judged(clean: int, rejected: int, warned: int = 0, **dimensions: int) -> Counts:
    return Counts(received=clean + rejected, clean=clean, rejected=rejected, warned=warned, dimensions=dimensions)


def test_valid_are_the_records_that_no_rule_rejects_or_marks() -> None:
    measured = quality(contract(), judged(96, 4, 10, completeness=4, conformity=10))

    assert measured.valid == pytest.approx(0.86)
    assert measured.dimensions == {"completeness": pytest.approx(0.96), "conformity": pytest.approx(0.90)}


def test_a_shop_that_rejects_almost_half_of_its_records_does_not_look_well() -> None:
    """A share of all checks passed is 98.5 % here: each record passes most of thirty rules."""
    assert quality(contract(), judged(56, 44, conformity=44)).valid == pytest.approx(0.56)


def test_the_shop_is_weighed_by_judged_records_and_by_the_contracts() -> None:
    parts = [(4.0 * 100, quality(contract(target=0.9), judged(50, 50))), (100, quality(contract(target=1.0), judged(100, 0)))]
    overall = overall_quality(parts)

    assert [overall.valid, overall.target] == [pytest.approx(0.6), pytest.approx(0.92)]
    assert overall_quality([(0.0, quality(contract(), judged(0, 1)))]).valid is None


def test_value_at_risk_is_that_of_the_rules_that_tell_it() -> None:
    telling, silent = RuleSummary("accuracy", "error", worth=True), RuleSummary("accuracy", "error")
    summary = ContractSummary(id="c", version="1.0.0", rules={"a": telling, "b": silent, "c": telling})

    assert [at_risk(summary, rule, {"a": 5, "b": 7}) for rule in ("a", "b", "c", "gone")] == [5, None, 0, None]


def test_a_dimension_whose_rules_are_gone_keeps_what_they_found() -> None:
    assert quality(contract(), judged(8, 2, timeliness=2)).dimensions["timeliness"] == pytest.approx(0.8)


def test_where_nothing_was_judged_nothing_is_said() -> None:
    measured = quality(contract(), Counts(received=5, pending=5))

    assert measured.valid is None
    assert measured.dimensions == {"completeness": None, "conformity": None}


def test_conformity_of_nothing_judged_is_unknown() -> None:
    assert conformity(0, 0) is None
    assert conformity(98, 2) == 0.98


def test_the_summary_has_the_documented_shape() -> None:
    contracts = {
        "orders": contract(currency="GBP", revenue=True, customer="c", customer_entity="customers", order="o"),
        "customers": contract(),
    }
    totals = {
        "orders": EntityTotals(
            received=100,
            clean=90,
            rejected=8,
            pending=2,
            repaired=5,
            late=3,
            findings={"a.required": 8, "b.type": 0},
            warned=4,
            dimensions={"completeness": 8, "conformity": 4},
            revenue_minor=12_345,
            active_customers=30,
            orders=80,
        ),
        "customers": EntityTotals(received=60, clean=60, known=60),
    }

    summary = summarise(contracts, totals)

    assert summary["entities"]["orders"] == {
        "in": 100,
        "clean": 90,
        "rejected": 8,
        "pending": 2,
        "deleted": 0,
        "unreadable": 0,
        "repaired": 5,
        "late": 3,
        "findings": {"a.required": 8},
        "conformity": pytest.approx(90 / 98),
        "quality": {
            "valid": pytest.approx(86 / 98),
            "target": 0.98,
            "dimensions": {"completeness": pytest.approx(90 / 98), "conformity": pytest.approx(94 / 98)},
        },
    }
    assert summary["kpis"] == {
        "active_customers": 30,
        "orders": 80,
        "revenue": 123.45,
        "currency": "GBP",
        "revenue_by_currency": {},
        "rates": {},
        "cancelled": 0,
        "active_share": 0.5,
        "visits": None,
        "conversion_rate": None,
        "valid_records": pytest.approx((86 + 60) / 158),
        "valid_target": pytest.approx(0.98),
        "conformity": pytest.approx(150 / 158),
    }


def test_a_shop_without_sales_still_has_a_summary() -> None:
    kpis = summarise({"sensors": contract()}, {"sensors": EntityTotals(received=3, clean=3)})["kpis"]

    assert kpis["orders"] == 0
    assert kpis["currency"] is None
    assert kpis["conversion_rate"] is None
    assert kpis["conformity"] == 1.0


def test_nothing_at_all_has_a_summary() -> None:
    assert summarise({}, {})["entities"] == {}
    assert summarise({}, {})["kpis"]["valid_records"] is None


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(-5, 10**7), st.integers(-5, 10**7))
def test_shares_stay_between_nothing_and_all(clean: int, rejected: int, warned: int, found: int) -> None:
    measured = quality(contract(), judged(clean, rejected, warned, completeness=found))
    shares = [measured.valid, *measured.dimensions.values()]

    assert all(share is None or 0 <= share <= 1 for share in shares)


def test_the_conversion_rate_is_orders_by_visits() -> None:
    visits = msgspec.structs.replace(contract(), visits=True)
    totals = {"orders": EntityTotals(received=4, clean=4, orders=4), "visits": EntityTotals(received=60, clean=50)}
    sales = msgspec.structs.replace(contract(), revenue=True)
    kpis = summarise({"orders": sales, "visits": visits}, totals)["kpis"]
    assert (kpis["visits"], kpis["conversion_rate"]) == (50, 0.08)
    nobody = summarise({"orders": sales, "visits": visits}, {"orders": totals["orders"]})["kpis"]
    assert (nobody["visits"], nobody["conversion_rate"]) == (0, None)


def test_the_overall_quality_does_not_depend_on_the_order_of_entities() -> None:
    parts = [
        (weight, Quality(valid, {"accuracy": valid}, 0.98)) for weight, valid in ((171_999, 0.1), (3_000, 0.7), (0.3, 1 / 3))
    ]
    first, *others = (overall_quality(order) for order in itertools.permutations(parts))
    assert first.target == 0.98
    assert all(other == first for other in others)
