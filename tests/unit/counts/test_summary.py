"""The arithmetic that people read: conformity, quality and the shop's key numbers."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.contract.summary import ContractSummary, RuleSummary
from stream_app.counts.summary import EntityTotals, at_risk, conformity, quality, summarise


def contract(**more: object) -> ContractSummary:
    rules = {
        "a.required": RuleSummary("completeness", "error"),
        "b.required": RuleSummary("completeness", "error"),
        "b.type": RuleSummary("conformity", "warning"),
        "b.hint": RuleSummary("accuracy", "info"),
    }
    return ContractSummary(id="c", version="1.0.0", rules=rules, **more)  # type: ignore[arg-type]


def test_a_dimension_is_one_minus_findings_over_records_times_rules() -> None:
    measured = quality(contract(), 100, {"a.required": 4, "b.type": 10})

    assert measured.dimensions == {"completeness": pytest.approx(0.98), "conformity": pytest.approx(0.90)}
    assert measured.score == pytest.approx(0.94)


def test_a_score_is_the_mean_of_the_dimensions_by_their_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_app.counts.summary.WEIGHTS", {"completeness": 3.0})

    # A dimension that has no weight, such as one that a later version has, weighs 1.
    assert quality(contract(), 100, {"a.required": 4, "b.type": 10}).score == pytest.approx((3 * 0.98 + 0.90) / 4)


def test_value_at_risk_is_that_of_the_rules_that_tell_it() -> None:
    telling, silent = RuleSummary("accuracy", "error", worth=True), RuleSummary("accuracy", "error")
    summary = ContractSummary(id="c", version="1.0.0", rules={"a": telling, "b": silent, "c": telling})

    assert [at_risk(summary, rule, {"a": 5, "b": 7}) for rule in ("a", "b", "c", "gone")] == [5, None, 0, None]


def test_info_rules_do_not_lower_the_score() -> None:
    assert quality(contract(), 10, {"b.hint": 10}).score == 1.0


def test_findings_of_rules_that_are_gone_do_not_lower_the_score() -> None:
    assert quality(contract(), 10, {"old.rule": 10}).score == 1.0


def test_a_rule_that_finds_more_than_once_a_record_cannot_make_a_share_negative() -> None:
    assert quality(contract(), 1, {"b.type": 5}).dimensions["conformity"] == 0.0


def test_nothing_received_has_no_score() -> None:
    measured = quality(contract(), 0, {})

    assert measured.score is None
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
        "quality": {"score": pytest.approx(0.98), "dimensions": {"completeness": pytest.approx(0.96), "conformity": 1}},
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
        "quality_score": pytest.approx((0.98 * 100 + 1.0 * 60) / 160),
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
    assert summarise({}, {})["kpis"]["quality_score"] is None


@given(
    st.integers(0, 10**6),
    st.dictionaries(st.sampled_from(["a.required", "b.required", "b.type", "b.hint", "?"]), st.integers(0, 10**7)),
)
def test_shares_stay_between_nothing_and_all(received: int, findings: dict[str, int]) -> None:
    measured = quality(contract(), received, findings)
    shares = [measured.score, *measured.dimensions.values()]

    assert all(share is None or 0 <= share <= 1 for share in shares)


def test_the_conversion_rate_is_orders_by_visits() -> None:
    visits = msgspec.structs.replace(contract(), visits=True)
    totals = {"orders": EntityTotals(received=4, clean=4, orders=4), "visits": EntityTotals(received=60, clean=50)}
    sales = msgspec.structs.replace(contract(), revenue=True)
    kpis = summarise({"orders": sales, "visits": visits}, totals)["kpis"]
    assert (kpis["visits"], kpis["conversion_rate"]) == (50, 0.08)
    nobody = summarise({"orders": sales, "visits": visits}, {"orders": totals["orders"]})["kpis"]
    assert (nobody["visits"], nobody["conversion_rate"]) == (0, None)
