"""A report about a period that is not over: provisional, cut alike, and replaced by the final one."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import cast

import pytest
import redis
from click.testing import CliRunner

from headrace.cli.report import command
from reporter.author import TemplateAuthor
from reporter.periods import Period
from reporter.publish import People
from reporter.service import Reporter
from reporter.watch import Watch
from stream_app.notify import Notifier
from stream_app.settings import Settings
from stream_app.store.queries import open_queries
from tests.support.fill import Shop
from tests.support.processes import as_environment
from tests.support.staged import judged

#: 2026-09-22T00:00:00Z, and noon of that day: the stream's time.
MIDNIGHT = 1_790_035_200
NOON = MIDNIGHT + 12 * 3_600
DAY = Period(MIDNIGHT, MIDNIGHT + 86_400)


@pytest.fixture
def shop(settings: Settings, redis_url: str) -> Shop:
    """Two and a half days of trade, up to twenty past noon."""
    with redis.Redis.from_url(redis_url) as client:
        shop = Shop(client, "headrace", until=NOON + 1_200, now_ms=(NOON + 1_200) * 1000)
        shop.announce()
        shop.fill(60 * 60)
        return shop


def moved(shop: Shop, seconds: int) -> None:
    """The stream has reached another time."""
    for entity in shop.summaries:
        shop.client.hset(f"headrace:total:{entity}", "et", str(seconds * 1000))


def test_what_is_asked_for_at_noon_is_provisional_and_compared_with_the_morning_before(settings: Settings, shop: Shop) -> None:
    reporter = Reporter(settings, TemplateAuthor())
    assert not reporter.is_over(DAY)
    report = reporter.report(DAY, provisional=True).report

    cut = NOON + 1_200
    now = shop.recounts["orders"].between(MIDNIGHT, cut)
    before = shop.recounts["orders"].between(MIDNIGHT - 86_400, cut - 86_400)
    assert report.id == "20260922T0000-20260923T0000-en-provisional"
    assert (report.provisional, report.start, report.end) == (True, DAY.start, DAY.end)
    assert report.markdown.startswith("# Data quality report (provisional)\n")
    assert "Data quality report (provisional)" in report.html
    assert report.facts["entity.orders.records"]["value"] == now["in"]
    assert report.facts["entity.orders.records.previous"]["value"] == before["in"]
    assert report.facts["sales.revenue.previous"]["value"] == before["rev"]
    assert [report.facts[f"period.{one}"]["value"] for one in ("start", "end")] == [MIDNIGHT, cut]
    assert [report.facts[f"previous.{one}"]["value"] for one in ("start", "end")] == [MIDNIGHT - 86_400, cut - 86_400]
    assert reporter.report(DAY, provisional=True).written_here, "each time that it is asked for"


def test_the_final_report_replaces_it_once_the_period_is_over(settings: Settings, shop: Shop) -> None:
    reporter, clock = Reporter(settings, TemplateAuthor()), [0.0]
    hour = Period(NOON, NOON + 3_600)
    watch = Watch(reporter, 86_400, grace=60, pause=0, clock=lambda: clock[0])
    reporter.report(hour, provisional=True)

    def ids() -> list[str]:
        clock[0] += 60
        watch.step()
        return [one.id for one in open_queries(settings).reports() if one.start == hour.start and one.end == hour.end]

    assert ids() == ["20260922T1200-20260922T1300-en-provisional"]
    moved(shop, hour.end + 59)
    assert ids() == ["20260922T1200-20260922T1300-en-provisional"], "late records are still expected"
    moved(shop, hour.end + 60)
    for _ in range(3):
        found = ids()
    assert found == ["20260922T1200-20260922T1300-en"]
    assert not open_queries(settings).report("20260922T1200-20260922T1300-en").provisional  # type: ignore[union-attr]


def test_a_period_is_not_over_while_a_worker_is_behind_or_records_are_unread(settings: Settings, shop: Shop) -> None:
    reporter = Reporter(settings, TemplateAuthor())
    moved(shop, DAY.end + 3_600)
    assert reporter.is_over(DAY)
    shop.beat(at=time.time_ns() // 1_000_000, behind=(DAY.end - 60) * 1000)
    assert not reporter.is_over(DAY)
    shop.beat(at=time.time_ns() // 1_000_000, behind=None)
    assert reporter.is_over(DAY)


def test_a_period_is_not_over_before_the_monitor_has_judged_it_to_its_end(settings: Settings, shop: Shop) -> None:
    """An incident that closed in the last hour is open where the monitor is, and the final report does not say so."""
    reporter = Reporter(settings, TemplateAuthor())
    watch = Watch(reporter, 86_400, grace=60, pause=0, clock=lambda: time.monotonic() + 1_000 * len(seen))
    seen: list[str] = []

    def step() -> list[str]:
        seen.append("")
        watch.step()
        return [one.id for one in open_queries(settings).reports() if (one.start, one.end) == (DAY.start, DAY.end)]

    moved(shop, DAY.end + 3_600)
    judged(shop.client, shop.keys, DAY.end - 3_600, *shop.summaries)
    assert not reporter.is_over(DAY)
    for _ in range(3):
        found = step()
    assert found == ["20260922T0000-20260923T0000-en-provisional"]
    behind = open_queries(settings).report(found[0])
    assert behind is not None
    assert "Windows after 22 Sep 2026, 23:00 UTC have not been judged for anomalies yet." in behind.markdown
    assert "No rule and no incident stands out" not in behind.markdown
    judged(shop.client, shop.keys, DAY.end, *shop.summaries)
    assert reporter.is_over(DAY)
    assert step() == ["20260922T0000-20260923T0000-en"]


def test_the_command_says_that_it_is_provisional(settings: Settings, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in as_environment(settings).items():
        monkeypatch.setenv(name, value)
    asked = ["--once", "--from", "2026-09-22", "--to", "2026-09-23", "--no-topic"]
    said = CliRunner().invoke(command, asked, catch_exceptions=False)
    assert "-en-provisional is provisional" in said.stderr
    assert said.stdout.startswith("# Data quality report (provisional)")


def test_a_provisional_report_notifies_nobody(settings: Settings, shop: Shop) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it was sent")

    people = People(cast("Notifier", SimpleNamespace(send=refuse)))
    people.send(Reporter(settings, TemplateAuthor()).report(DAY, provisional=True).report)
