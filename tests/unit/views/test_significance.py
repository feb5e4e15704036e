"""A segment stands out only if chance is ruled out, by an exact test and corrected for the number of comparisons."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.counts.fields import Counts, SegmentCounts
from stream_app.store.period import PeriodCounts
from stream_app.views.period import chance_of_more, concentrations
from tests.support.report_facts import contracts


@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_the_chance_is_that_of_a_recount_of_all_possibilities(here: int, elsewhere: int, data: st.DataObject) -> None:
    findings, others = data.draw(st.integers(0, here)), data.draw(st.integers(0, elsewhere))
    total = findings + others
    tail = range(max(findings, total - elsewhere), min(here, total) + 1)
    exact = sum(math.comb(here, k) * math.comb(elsewhere, total - k) for k in tail) / math.comb(here + elsewhere, total)

    if findings > total * here / (here + elsewhere):
        assert chance_of_more(findings, here, others, elsewhere) == pytest.approx(exact, rel=1e-6, abs=1e-12)
    else:
        assert chance_of_more(findings, here, others, elsewhere) == 1.0


def segments(others: int) -> dict[str, PeriodCounts]:
    """A segment with 9 findings in 40 records, and as many others with 2 in 40."""
    values = {"Germany": SegmentCounts(40, findings={"email.format": 9})}
    values |= {f"country {number}": SegmentCounts(40, findings={"email.format": 2}) for number in range(others)}
    return {"customers": PeriodCounts(Counts(received=40 * (others + 1), segments={"country": values}))}


def test_what_stands_out_among_few_is_chance_among_many() -> None:
    found = concentrations(contracts(), segments(6))
    assert [(one.value, one.findings, one.records, one.findings_elsewhere, one.records_elsewhere) for one in found] == [
        ("Germany", 9, 40, 12, 240)
    ]
    assert found[0].chance < 0.01

    assert concentrations(contracts(), segments(300)) == []


def test_few_records_on_one_side_say_nothing() -> None:
    values = {"Germany": SegmentCounts(40, findings={"email.format": 12}), "France": SegmentCounts(12)}
    counts = {"customers": PeriodCounts(Counts(received=52, segments={"country": values}))}

    assert concentrations(contracts(), counts) == []
