"""Rules that find the same records, and stretches of time: what is said of them holds in every recount."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.contract.summary import ContractSummary, RuleSummary
from stream_app.counts.fields import Counts
from stream_app.counts.window import Window
from stream_app.views.insights import FEWEST, complete, densest, shared, stretches, together
from stream_app.windows.grain import Grain, Span

HOUR = 3_600
CONTRACT = ContractSummary(
    "orders",
    "1",
    rules={
        "a": RuleSummary("completeness", "error"),
        "b": RuleSummary("completeness", "error"),
        "c": RuleSummary("accuracy", "warning"),
        "d": RuleSummary("accuracy", "warning"),
        "e": RuleSummary("accuracy", "info"),
    },
)
ORDERS = {"orders": CONTRACT}


def counted(records: list[frozenset[str]]) -> Counts:
    """Count records by the rules that each of them breaks, as a worker does."""
    rules = CONTRACT.rules
    rejected = sum(any(rules[rule].severity == "error" for rule in one) for one in records)
    warned = sum(any(rules[rule].severity == "warning" for rule in one) for one in records) - sum(
        {rules[rule].severity for rule in one} >= {"error", "warning"} for one in records
    )
    dimensions: Counter[str] = Counter()
    for one in records:
        dimensions.update({rules[rule].dimension for rule in one if rules[rule].counts})
    return Counts(
        received=len(records),
        clean=len(records) - rejected,
        rejected=rejected,
        warned=warned,
        findings=Counter(rule for one in records for rule in one),
        dimensions=dimensions,
    )


RECORDS = st.lists(st.frozensets(st.sampled_from("abcde"), max_size=4), max_size=40)


@given(st.lists(RECORDS, min_size=1, max_size=4))
def test_no_more_records_are_said_to_be_shared_than_there_are(parts: list[list[frozenset[str]]]) -> None:
    for one, other in (("a", "b"), ("a", "c"), ("c", "d"), ("b", "d")):
        truth = sum({one, other} <= record for part in parts for record in part)
        bound = sum(shared(CONTRACT, counted(part), one, other) for part in parts)
        assert 0 <= bound <= truth


def test_rules_that_find_the_same_records_are_found_and_others_are_not() -> None:
    clean = [frozenset[str]()] * 500
    same = counted([*clean, *[frozenset("ac")] * 50, *[frozenset("a")] * 3])
    (found,) = together(ORDERS, {"orders": [same]})
    assert (found.rule, found.other, found.findings, found.other_findings, found.least) == ("a", "c", 53, 50, 50)
    apart = counted([*clean, *[frozenset("a")] * 50, *[frozenset("c")] * 50])
    assert together(ORDERS, {"orders": [apart]}) == []
    few = counted([*clean, *[frozenset("ac")] * (FEWEST - 1)])
    assert together(ORDERS, {"orders": [few]}) == []


def day(shares: list[float], rule: str = "a", records: int = 100) -> list[Window]:
    return [
        Window(
            number * HOUR, counted([frozenset(rule)] * round(share * records) + [frozenset()] * round((1 - share) * records))
        )
        for number, share in enumerate(shares)
    ]


@pytest.mark.parametrize("high", [0.2, 0.6, 1.0])
def test_a_stretch_is_found_from_its_first_to_its_last_hour(high: float) -> None:
    shares = [0.01] * 24
    shares[9:13] = [high] * 4
    (found,) = stretches(ORDERS, {"orders": day(shares)}, HOUR)
    assert (found.start, found.end) == (9 * HOUR, 13 * HOUR)
    assert (found.findings, found.records) == (round(high * 400), 400)
    assert (found.findings_elsewhere, found.records_elsewhere) == (20, 2_000)
    assert found.chance < 0.01


def test_an_ordinary_day_has_no_stretch() -> None:
    rng = random.Random(5)
    seen = 0
    for _ in range(300):
        windows = [
            Window(number * HOUR, counted([frozenset("a") if rng.random() < 0.05 else frozenset() for _ in range(60)]))
            for number in range(24)
        ]
        seen += len(stretches(ORDERS, {"orders": windows}, HOUR))
    # One in a hundred is what the test allows.
    assert seen <= 3


def test_all_day_or_too_little_is_no_stretch() -> None:
    assert stretches(ORDERS, {"orders": day([0.9] * 24)}, HOUR) == []
    assert stretches(ORDERS, {"orders": day([0.0] * 23 + [0.19])}, HOUR) == []
    assert stretches(ORDERS, {"orders": day([0.0, 0.9, 0.0])}, HOUR) == []
    info = day([0.0] * 20 + [0.9] * 4, rule="e")
    assert stretches(ORDERS, {"orders": info}, HOUR) == []
    assert densest([0, 0], [0, 0]) == (0, 0)


def test_windows_count_only_if_they_hold_all_of_a_period() -> None:
    span = Span(Grain.HOUR, 0, 4 * HOUR)
    kept = [Window(0, Counts(received=3)), Window(2 * HOUR, Counts(received=4))]
    assert [one.counts.received for one in complete(kept, Counts(received=7), span)] == [3, 0, 4, 0]
    assert complete(kept[1:], Counts(received=7), span) == ()
