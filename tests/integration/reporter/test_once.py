"""One report a period, whoever writes it: claimed, kept once, announced once, in a bounded history."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from click.testing import CliRunner
from kafka import TopicPartition
from pydantic import SecretStr

from headrace.cli.report import command
from reporter.author import TemplateAuthor, Written
from reporter.build import author_of, reporter_of
from reporter.facts import Facts
from reporter.periods import Period, up_to
from reporter.service import Reporter
from reporter.texts import Texts
from stream_app.errors import DeliveryError, SettingsError, StoreError
from stream_app.names import reports_topic
from stream_app.settings import Settings
from stream_app.store import reports
from stream_app.store.connection import connect
from stream_app.store.keys import INPUT_CLOSED, Keys
from stream_app.store.queries import open_queries
from stream_app.store.reports import ReportStore, StoredReport
from stream_app.views.pulse import read_status
from tests.support.brokers import Broker
from tests.support.fill import Shop
from tests.support.llm import Handler, Llm, says, sends, serving
from tests.support.processes import as_environment, clean_environment, headrace_command
from tests.support.report_facts import reply

NOW = 1_790_000_000_000


@pytest.fixture
def shop(settings: Settings, redis_url: str) -> Shop:
    """Three hours of trade."""
    with redis.Redis.from_url(redis_url) as client:
        shop = Shop(client, "headrace", until=NOW // 1000, now_ms=NOW)
        shop.announce()
        shop.fill(180)
        return shop


@pytest.fixture
def store(settings: Settings) -> ReportStore:
    return ReportStore(connect(settings), settings.redis_prefix)


@pytest.fixture
def environment(settings: Settings, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The settings as variables, for the command in this process or another."""
    variables = as_environment(settings)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    # The producers are done, so that the last period is over.
    shop.client.set(Keys(settings.redis_prefix).input(), INPUT_CLOSED)
    return variables


@pytest.fixture
def model() -> Iterator[Llm]:
    with serving(says(reply())) as running:
        yield running


class Heard:
    """A channel that keeps the reports it gets, or fails."""

    def __init__(self, fails: bool = False) -> None:
        self.reports: list[StoredReport] = []
        self.fails = fails

    def send(self, report: StoredReport) -> None:
        if self.fails:
            raise DeliveryError("nobody is there")
        self.reports.append(report)


class Slow(TemplateAuthor):
    """Writes on a signal, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.go = threading.Event()
        self.began = threading.Event()

    def write(self, facts: Facts, texts: Texts, *more: object) -> Written:
        self.asked += 1
        self.began.set()
        assert self.go.wait(20)
        return TemplateAuthor().write(facts, texts)


PERIOD = up_to(NOW, 3_600)


def everything_on(settings: Settings) -> list[Any]:
    """All records of the topic of reports: read until none comes for a second and a half."""
    consumer = Broker("embedded", settings.kafka).consumer(consumer_timeout_ms=1_500)
    try:
        partition = TopicPartition(reports_topic(settings.topic_prefix), 0)
        consumer.assign([partition])
        consumer.seek(partition, 0)
        return list(consumer)
    finally:
        consumer.close()


def test_the_report_says_what_was_counted(settings: Settings, shop: Shop, store: ReportStore) -> None:
    outcome = reporter_of(settings, topic=False).report(PERIOD)
    report = outcome.report

    counted = shop.recounts["orders"].between(PERIOD.start, PERIOD.end)
    former = shop.recounts["orders"].between(PERIOD.before.start, PERIOD.before.end)
    assert outcome.written_here
    assert report.facts["entity.orders.records"]["value"] == counted["in"]
    assert report.facts["entity.orders.records.previous"]["value"] == former["in"]
    assert report.facts["sales.revenue"]["value"] == counted["rev"]
    assert f"{counted['in']:,} records" in report.facts["entity.orders.records"]["rendering"]
    assert report.facts["all.records"]["rendering"] in report.markdown
    assert report.facts["all.records"]["rendering"] in report.html
    assert open_queries(settings).report(report.id) == report
    assert [one.id for one in open_queries(settings).reports()] == [report.id]
    assert store.counters() == {"reports": 1, "by_template": 1, "why:off": 1}


def test_distinct_customers_are_those_of_the_period(settings: Settings, shop: Shop) -> None:
    report = reporter_of(settings, topic=False).report(PERIOD).report

    exact = shop.recounts["orders"].active(PERIOD.start, PERIOD.end)
    assert report.facts["sales.customers"]["value"] == exact


def test_who_comes_while_a_report_is_written_gets_that_report(settings: Settings, shop: Shop) -> None:
    author, second = Slow(), Slow()
    second.go.set()
    found: list[StoredReport] = []
    first_one = threading.Thread(target=lambda: found.append(Reporter(settings, author).report(PERIOD).report))
    first_one.start()
    assert author.began.wait(20)
    other = threading.Thread(target=lambda: found.append(Reporter(settings, second).report(PERIOD).report))
    other.start()
    author.go.set()
    first_one.join(20)
    other.join(20)

    assert (author.asked, second.asked) == (1, 0)
    assert len(found) == 2
    assert found[0] == found[1]


def test_two_processes_publish_one_report(environment: dict[str, str], settings: Settings) -> None:
    span = ["--from", "2026-09-21T13:00", "--to", "2026-09-21T14:00", "--format", "json"]
    running = [
        subprocess.Popen(
            headrace_command("report", "--once", *span), env=clean_environment(**environment), stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    printed = [json.loads(process.communicate(timeout=60)[0]) for process in running]

    assert printed[0] == printed[1]
    assert len(open_queries(settings).reports()) == 1
    (record,) = everything_on(settings)
    assert record.key.decode() == printed[0]["id"]
    assert json.loads(record.value) == printed[0]


def test_a_claim_that_lapsed_publishes_nothing(store: ReportStore, settings: Settings, shop: Shop) -> None:
    report = reporter_of(settings, topic=False).report(PERIOD).report
    other = replace(report, id="other")

    assert store.claim("other", "a", 60) == "mine"
    assert store.claim("other", "b", 60) == "taken"
    assert not store.publish(other, "b")
    store.release("other", "b")
    assert store.publish(other, "a")
    assert store.claim("other", "a", 60) == "done"
    assert store.claim("other", "late", 60, replace=True) == "mine"
    assert not store.publish(other, "late")


def test_a_reporter_that_died_is_replaced_when_its_claim_lapses(store: ReportStore, settings: Settings, shop: Shop) -> None:
    report_id = PERIOD.report_id("en")
    assert store.claim(report_id, "dead", 0.3) == "mine"

    assert reporter_of(settings, topic=False).report(PERIOD).written_here


def test_a_report_that_is_there_is_written_again_only_when_asked(settings: Settings, shop: Shop) -> None:
    reporter = reporter_of(settings, topic=False)
    reporter.report(PERIOD)

    assert not reporter.report(PERIOD).written_here
    assert reporter.report(PERIOD, anew=True).written_here


def test_who_wants_a_report_anew_does_not_get_the_old_one(store: ReportStore, settings: Settings, shop: Shop) -> None:
    reporter = reporter_of(settings, topic=False)
    old = reporter.report(PERIOD).report
    # Another is writing it again, and dies.
    assert store.claim(old.id, "dead", 0.3, replace=True) == "mine"

    assert reporter.report(PERIOD, anew=True).written_here


def test_a_key_alone_asks_nobody(store: ReportStore, settings: Settings) -> None:
    keyed = settings.model_copy(update={"llm_key": SecretStr("sk-secret"), "llm_model": None})

    assert isinstance(author_of(keyed, store), TemplateAuthor)


def test_history_is_kept_up_to_a_bound(
    store: ReportStore, settings: Settings, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "REPORTS_KEPT", 3)
    report = reporter_of(settings, topic=False).report(PERIOD).report
    for number in range(5):
        assert store.claim(f"r{number}", "me", 60) == "mine"
        assert store.publish(replace(report, id=f"r{number}", end=report.end + number + 1), "me")

    assert [one.id for one in store.newest()] == ["r4", "r3", "r2"]
    assert store.get("r0") is None
    assert set(store.unannounced()) == {"r4", "r3", "r2"}


def test_each_report_is_announced_until_every_channel_has_it(settings: Settings, shop: Shop, store: ReportStore) -> None:
    first, second = Heard(fails=True), Heard()
    reporter = Reporter(settings, TemplateAuthor(), [first, second], store=store)
    report = reporter.report(PERIOD).report

    assert [str(problem) for problem in reporter.announce()] == ["nobody is there"]
    assert second.reports == []
    first.fails = False
    assert reporter.announce() == []
    assert reporter.announce() == []
    assert first.reports == second.reports == [report]


def test_without_a_broker_the_report_is_stored_and_announced_later(
    environment: dict[str, str], settings: Settings, store: ReportStore
) -> None:
    # In a process of its own: the client leaves the sockets of connections that failed to the garbage collector.
    program = (
        "from reporter.author import TemplateAuthor; from reporter.periods import Period;"
        "from reporter.service import Reporter;"
        "from reporter.publish import ReportsTopic; from stream_app.settings import load_settings; s = load_settings();"
        "r = Reporter(s, TemplateAuthor(), [ReportsTopic(s, connect_seconds=0.5)]);"
        f"print(r.report(Period({PERIOD.start}, {PERIOD.end})).report.id, *r.announce())"
    )
    announced = subprocess.run(
        [sys.executable, "-c", program], env=clean_environment(**environment | {"HEADRACE_KAFKA": "127.0.0.1:1"}),
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip

    assert "no Kafka broker answers at 127.0.0.1:1" in announced.stdout
    assert store.unannounced() == (PERIOD.report_id("en"),)
    heard = Heard()
    Reporter(settings, TemplateAuthor(), [heard], store=store).announce()
    assert [one.id for one in heard.reports] == [PERIOD.report_id("en")]


def test_before_anything_was_counted_there_is_a_cure(settings: Settings, environment: dict[str, str], redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()

    with pytest.raises(StoreError, match="headrace replay"):
        CliRunner().invoke(command, ["--once"], catch_exceptions=False)


@pytest.mark.parametrize(("form", "begins"), [("markdown", "# Data quality"), ("html", "<!DOCTYPE html>"), ("json", '{"id":')])
def test_once_prints_or_writes_every_format(environment: dict[str, str], form: str, begins: str, tmp_path: Path) -> None:
    printed = CliRunner().invoke(command, ["--once", "--period", "1h", "--no-topic", "--format", form], catch_exceptions=False)
    assert printed.stdout.startswith(begins)

    suffix = {"markdown": "md"}.get(form, form)
    path = tmp_path / f"report.{suffix}"
    CliRunner().invoke(command, ["--once", "--period", "1h", "--no-topic", "--output", str(path)], catch_exceptions=False)
    assert path.read_text("utf-8") == printed.stdout


def from_the_claims(handler: Handler) -> None:
    """A model that reads the claims and chooses among those that there are."""
    claims = json.loads(handler.body["messages"][1]["content"])["claims"]
    ids = [claim["id"] for claim in claims]
    advice = {"text": "Ask the owner of the feed.", "claims": [ids[-1]]}
    chosen = {"headline": ids[0], "claims": ids[-3:], "hypotheses": [], "recommendations": [advice]}
    says(json.dumps(chosen))(handler)


def test_a_models_report_is_published_with_its_verdict_and_without_its_key(
    environment: dict[str, str], settings: Settings, redis_url: str, store: ReportStore
) -> None:
    with serving(from_the_claims) as server:
        variables = {"HEADRACE_LLM_MODEL": "m", "HEADRACE_LLM_BASE_URL": server.url, "HEADRACE_LLM_KEY": "sk-secret"}
        printed = CliRunner().invoke(command, ["--once", "--period", "1h", "--no-topic"], env=variables, catch_exceptions=False)
    (report,) = open_queries(settings).reports()

    assert printed.stdout == report.markdown
    assert (report.written_by, report.model, report.verdict["outcome"]) == ("model", "m", "passed")
    assert report.verdict["own_words"] == 1.0
    assert report.facts["all.conformity"]["rendering"] in report.markdown
    assert store.counters() == store.counters() | {
        "reports": 1,
        "by_model": 1,
        "own_words": 6,
        "own_kept": 6,
        "tokens_in": 1_200,
    }
    with redis.Redis.from_url(redis_url) as client:
        everything = b"".join(client.dump(key) or b"" for key in client.scan_iter())
    assert b"sk-secret" not in everything
    assert "sk-secret" not in printed.output


def test_people_are_notified_once_on_their_channels(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(sends(200, {})) as hook:
        monkeypatch.setenv("HEADRACE_NOTIFY", hook.url.replace("http://", "json://"))
        for _ in range(2):
            CliRunner().invoke(command, ["--once", "--period", "1h", "--no-topic"], catch_exceptions=False)

    (announced,) = hook.requests
    assert announced.body["title"].startswith("Data quality report: ")
    assert "judged records are valid" in announced.body["message"]
    assert "Recommendations" in announced.body["message"]


def test_facts_and_prompt_show_what_would_be_sent_and_send_nothing(environment: dict[str, str], model: Llm) -> None:
    settings = {"HEADRACE_LLM_MODEL": "m", "HEADRACE_LLM_BASE_URL": model.url}
    facts = json.loads(CliRunner().invoke(command, ["--facts", "--period", "1h"], env=settings, catch_exceptions=False).stdout)
    prompt = json.loads(
        CliRunner().invoke(command, ["--prompt", "--period", "1h"], env=settings, catch_exceptions=False).stdout
    )
    assert model.requests == []

    CliRunner().invoke(command, ["--once", "--period", "1h", "--no-topic"], env=settings, catch_exceptions=False)
    assert json.loads(prompt["messages"][1]["content"]) == facts
    assert model.requests[0].body == prompt


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--once", "--period", "soon"], "not a length"),
        (["--once", "--from", "yesterday"], "not a moment"),
        (["--once", "--from", "2026-09-21", "--to", "2026-09-20"], "ends before it starts"),
        (["--once", "--from", "2024-01-01", "--to", "2026-01-01"], "366 days.*--from"),
        (["--every", "0m"], "not a length"),
    ],
)
def test_what_cannot_be_a_period_is_refused_with_a_cure(
    environment: dict[str, str], arguments: list[str], problem: str
) -> None:
    with pytest.raises(SettingsError, match=problem):
        CliRunner().invoke(command, arguments, catch_exceptions=False)


def test_the_stream_never_waits_for_the_model(settings: Settings, shop: Shop) -> None:
    """While a report is written, readers read and another period is reported."""
    author = Slow()
    writing = threading.Thread(target=lambda: Reporter(settings, author).report(PERIOD))
    writing.start()
    assert author.began.wait(20)
    began = time.monotonic()
    assert read_status(open_queries(settings))["entities"]
    assert reporter_of(settings, topic=False).report(Period(PERIOD.start, PERIOD.end - 60)).written_here
    assert time.monotonic() - began < 15
    author.go.set()
    writing.join(20)
