"""A report of any period: before 1970, and of a shop that is closed at night."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from reporter import template
from reporter.author import TemplateAuthor
from reporter.compute import compute
from reporter.periods import DAY, HOUR, Period
from reporter.render import html, markdown
from reporter.report import report_of
from reporter.service import Reporter
from reporter.texts import LANGUAGES, texts
from stream_app.counts.fields import Counts
from stream_app.settings import Settings
from stream_app.store.period import PeriodCounts
from tests.support.report_facts import an_incident, material


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("start", [-86_400, -10 * 365 * 86_400, -2_208_988_800])
def test_a_period_before_1970_has_a_report(start: int, language: str) -> None:
    say = texts(language)
    facts = compute(material(start=start, end=start + DAY, incidents=(an_incident(start=start, end=start + HOUR),)), say)
    report = report_of(template.write(facts, say), facts, say, written_by="template", model=None, prompt="v")

    assert "19" in markdown(report, facts, say).splitlines()[2]
    assert html(report, facts, say)
    assert Period(start, start + DAY).report_id(language).startswith(("19", "18"))


class Trade:
    """Records at these hours of every day since ``first``."""

    def __init__(self, hours: range, first: int) -> None:
        self.hours, self.first = hours, first

    def period(self, start: int, end: int) -> dict[str, PeriodCounts]:
        records = sum(1 for at in range(start, end, 60) if at >= self.first and at % DAY // HOUR in self.hours)
        return {"orders": PeriodCounts(Counts(received=records))}


def covers(hours: range, first: int, day: int) -> bool:
    queries = cast("Any", Trade(hours, first))
    reporter = Reporter(Settings(), TemplateAuthor(), queries=queries, store=cast("Any", SimpleNamespace()))
    return reporter.covers(Period(day, day + DAY), (day + DAY) * 1_000)


def test_a_day_of_a_shop_that_is_closed_at_night_is_covered_if_it_traded_the_day_before() -> None:
    day = 20_000 * DAY

    assert all(covers(range(8, 20), day - 5 * DAY, day + back * DAY) for back in range(3))
    assert not covers(range(8, 20), day, day)
    assert not covers(range(24), day + 20 * HOUR, day)
    assert covers(range(24), day, day)
