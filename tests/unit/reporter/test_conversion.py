"""Reports state visits and the conversion rate, orders ÷ visits, where a contract names visits; nothing elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reporter.claims import claims_of
from reporter.compute import compute
from reporter.facts import Facts
from reporter.formats import shown_share
from reporter.texts import LANGUAGES, texts
from stream_app.contract.read import load_shop
from stream_app.contract.summary import describe
from stream_app.counts.fields import Counts
from stream_app.store.period import PeriodCounts
from tests.support.report_facts import contracts, material, some_facts

VISITS = describe(load_shop(None).contracts["visits"])


def facts_of(visits: int, visits_before: int | None, language: str = "en", **changes: Any) -> Facts:
    """The facts of 11,900 orders, before 11,000, and these clean visits, with as many rejected ones."""
    made = material(contracts=contracts() | {"visits": VISITS})

    def counted(number: int) -> PeriodCounts:
        return PeriodCounts(Counts(received=2 * number, clean=number, rejected=number))

    before = None if visits_before is None else {**(made.before or {}), "visits": counted(visits_before)}
    return compute(replace(made, counts={**made.counts, "visits": counted(visits)}, before=before, **changes), texts(language))


@settings(deadline=None)
@given(st.integers(0, 100_000), st.integers(0, 100_000))
def test_the_rate_is_orders_by_clean_visits(now: int, before: int) -> None:
    facts = facts_of(now, before).all
    assert facts["sales.visits"].value == now
    assert ("sales.conversion" in facts) == (now > 0)
    if now:
        assert facts["sales.conversion"].value == 11_900 / now
    if now and before and "sales.conversion.previous" in facts:
        assert facts["sales.conversion.previous"].value == 11_000 / before
        shown = shown_share(11_900 / now) - shown_share(11_000 / before)
        assert facts["sales.conversion.change"].value == pytest.approx(shown)


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_a_key_figure_and_a_sentence(language: str) -> None:
    facts = facts_of(47_600, 44_000, language)
    claims = claims_of(facts, texts(language))
    assert facts.rendering("sales.conversion").startswith("25")
    assert "{{sales.conversion.change}}" in claims["summary.conversion"].source


def test_orders_that_are_estimated_make_it_an_estimate() -> None:
    made = material(contracts=contracts() | {"visits": VISITS})
    lines = msgspec.structs.replace(made.contracts["orders"], order_unique=False)
    sold = replace(made.counts["orders"], orders=5_000, estimated=frozenset({"orders"}))
    seen = PeriodCounts(Counts(received=20_000, clean=20_000))
    counts = {**made.counts, "orders": sold, "visits": seen}
    facts = compute(replace(made, contracts={**made.contracts, "orders": lines}, counts=counts), texts("en"))
    assert facts.rendering("sales.conversion") == "≈ 25.0 %"


def test_without_visits_there_is_nothing_to_say() -> None:
    assert not some_facts().has("sales.visits")
    assert not some_facts().has("sales.conversion")
