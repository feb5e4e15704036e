"""Estimates in reports: shown with a sign, and without a change that their error may have made."""

from __future__ import annotations

from dataclasses import replace

from reporter.compute import compute
from reporter.fact_writer import FactWriter
from reporter.facts import Facts
from reporter.texts import texts as texts_of
from tests.support.report_facts import material

TEXTS = texts_of("en")


def written(values: tuple[int, int], estimated: tuple[bool, bool]) -> Facts:
    facts = Facts("en", 0, 3_600, compared=True)
    FactWriter(facts, TEXTS).compare("sales.customers", values, "customers", "relative", estimated=estimated)
    return facts


def test_an_estimate_is_shown_as_one() -> None:
    facts = written((120_000, 90_000), (True, False))
    assert facts.rendering("sales.customers") == "≈ 120,000 customers"
    assert facts.rendering("sales.customers.previous") == "90,000 customers"
    assert facts.rendering("sales.customers.change") == "+33.3 %"


def test_a_change_within_the_error_is_not_a_fact() -> None:
    facts = written((101_000, 100_000), (True, True))
    assert facts.rendering("sales.customers.previous") == "≈ 100,000 customers"
    assert not facts.has("sales.customers.change")
    assert written((101_000, 100_000), (False, False)).rendering("sales.customers.change") == "+1.0 %"


def test_value_at_risk_is_exact_if_no_record_counts_at_the_average() -> None:
    orders = material().counts["orders"]
    exact = {"orders": replace(orders, counts=replace(orders.counts, unvalued=0))}
    facts = compute(replace(material(), counts=exact), TEXTS).all
    assert facts["all.at_risk"].rendering == "2,114.56 USD"
    assert compute(material(), TEXTS).all["all.at_risk"].rendering == "≈ 23,112.59 USD"


def test_a_change_of_the_value_at_risk_is_a_fact_unless_records_at_an_average_may_have_made_it() -> None:
    def changed(unvalued: int, now: int, before: int) -> bool:
        counts = {}
        for name, risk in (("counts", now), ("before", before)):
            orders = material().counts["orders"]
            counts[name] = {"orders": replace(orders, counts=replace(orders.counts, unvalued=unvalued, risk_minor=risk))}
        return compute(replace(material(), **counts), TEXTS).has("all.at_risk.change")  # type: ignore[arg-type]

    # Without records in doubt it is exact, also below the error of a sketch.
    assert changed(0, 1_001_000, 1_000_000)
    # 100 records at 83 each: their worth may be 4,979 more or less on both sides.
    assert not changed(100, 1_600_000, 1_000_000)
    assert changed(100, 1_800_000, 1_000_000)
