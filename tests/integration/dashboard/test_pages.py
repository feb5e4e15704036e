"""Each further page shows what the store holds, filters it, and says what to do where there is nothing."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest
import redis

from dashboard.parts import csv_files
from dashboard.text import formats
from reporter.author import TemplateAuthor
from reporter.periods import Period
from reporter.service import Reporter
from reporter.watch import CLOSED
from stream_app.settings import load_settings
from stream_app.store.queries import Queries
from stream_app.store.reports import ReportStore
from stream_app.views.pulse import read_pulse
from tests.support.pages import frames, open_page, words

PAGES = ("quality", "anomalies", "clean_orders", "report", "pipeline")


@pytest.mark.parametrize("name", PAGES)
def test_before_the_first_worker_each_page_says_what_to_run(name: str) -> None:
    assert any("headrace" in block.value for block in open_page(name).code)


@pytest.mark.parametrize("name", PAGES)
def test_without_redis_each_page_says_where_and_what_to_do(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_REDIS", "redis://:s3cret@127.0.0.1:1/0")
    said = words(open_page(name))

    assert "Redis at 127.0.0.1:1 cannot be reached" in said
    assert "s3cret" not in said


def test_incidents_and_findings_are_those_of_the_store(shop: Queries) -> None:
    found, findings = frames(open_page("anomalies", range="30d"))

    assert len(found) == 5
    assert list(found["State"]).count("open") == 3
    assert list(findings["Source"]) == [row.source for row in shop.findings()]


def test_filters_meet(shop: Queries) -> None:
    page = open_page("anomalies", range="30d")
    page.multiselect(key="finding-entity").set_value(["customers"]).run()
    page.multiselect(key="finding-rule").set_value(["email.format"]).run()
    page.multiselect(key="incident-state").set_value(["closed"]).run()
    found, findings = frames(page)

    expected = [row.source for row in shop.findings() if (row.entity, row.rule) == ("customers", "email.format")]
    assert list(findings["Source"]) == expected
    assert set(found["State"]) == {"closed"}

    segment = next(iter(findings["Segment"]))
    page.multiselect(key="finding-segment").set_value([segment]).run()
    narrowed = frames(page)[1]
    assert list(narrowed["Source"]) == list(findings["Source"][findings["Segment"] == segment])


def test_a_range_without_findings_says_so_and_keeps_the_filters(shop: Queries) -> None:
    page = open_page("anomalies", range="1990-01-01T00:00_1990-01-02T00:00")

    assert "None of the newest findings matches" in words(page)
    assert page.multiselect(key="finding-rule").value == []


def test_clean_records_can_be_searched(shop: Queries) -> None:
    page = open_page("clean_orders")
    newest = shop.clean("orders")
    assert list(frames(page)[0]["order_id"]) == [row.record["order_id"] for row in newest]

    page.text_input(key="clean-search").set_value(newest[7].source.upper()).run()
    assert list(frames(page)[0]["source"]) == [newest[7].source]

    page.text_input(key="clean-search").set_value("").run()
    page.segmented_control(key="clean-only").set_value("Repaired").run()
    assert set(frames(page)[0]["repaired"]) == {"order_date.utc"}

    page.segmented_control(key="clean-only").set_value("With warnings").run()
    assert set(frames(page)[0]["warnings"]) == {"record.unknownField"}
    page.segmented_control(key="clean-only").set_value("All").run()
    page.text_input(key="clean-search").set_value("no such thing").run()
    assert "None of them matches" in words(page)
    page.text_input(key="clean-search").set_value("").run()
    page.segmented_control(key="clean-entity").set_value("customers").run()
    assert "The next clean records appear here" in words(page)


def test_snippets_name_the_broker_and_the_topic_and_no_password(shop: Queries, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "KAFKA": "kafka.example.org:9093",
        "TOPIC_PREFIX": "eu-",
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_USERNAME": "reader",
        "KAFKA_PASSWORD": "s3cret",
    }.items():
        monkeypatch.setenv(f"HEADRACE_{name}", value)
    python, confluent, shell = (block.value for block in open_page("clean_orders").code)

    for text in (python, confluent, shell):
        assert "kafka.example.org:9093" in text
        assert "eu-orders.clean" in text
        assert "s3cret" not in text
        assert "read_committed" not in text
    compile(python, "kafka-python", "exec")
    compile(confluent, "confluent", "exec")


def test_snippets_read_committed_records_where_each_is_written_once(shop: Queries, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_EXACTLY_ONCE", "on")
    python, _, shell = (block.value for block in open_page("clean_orders").code)

    assert 'isolation_level="read_committed"' in python
    assert shell.count("read_committed") == 2


def test_the_latest_report_stands_first_and_each_figure_opens_its_fact(shop: Queries) -> None:
    page = open_page("report")
    reports = shop.reports()
    shown = words(page)

    assert next(iter(page.selectbox(key="report-id").options)).startswith(formats.span(reports[0].start, reports[0].end))
    assert len(page.selectbox(key="report-id").options) == 3
    figures = [row for row in reports[0].report["figures"] if row["id"] == "all.records"]
    assert f'<summary><bdi class="data">{figures[0]["now"]}</bdi></summary>' in shown
    assert "all.records" in shown

    page.selectbox(key="report-id").set_value(reports[2].id).run()
    assert formats.span(reports[2].start, reports[2].end) in words(page)


def test_the_daily_report_is_pinned_and_incident_reports_are_a_list_of_their_own(
    shop: Queries, filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream_ms = read_pulse(shop).stream_ms
    assert stream_ms is not None
    today = stream_ms // 1000 // 86_400 * 86_400
    reporter = Reporter(load_settings(redis=filled), TemplateAuthor())
    written = [
        reporter.report(Period(today - 86_400, today)).report,
        reporter.report(Period(today - 3_600, today), suffix=CLOSED).report,
        reporter.report(Period(today - 1_800, today + 1_800)).report,
    ]
    with redis.Redis.from_url(filled) as client:
        try:
            page = open_page("report")
            assert page.selectbox(key="report-id").options[0] == f"Daily report: {formats.span(today - 86_400, today)}"
            assert len(page.selectbox(key="report-id").options) == 5
            assert "report" not in page.query_params
            page.segmented_control(key="report-list").set_value("Incident reports").run()
            assert page.selectbox(key="report-incident").options == [formats.span(today - 3_600, today)]
            assert written[1].id in page.query_params["report"]
            # A link leads to the list that has the report.
            assert open_page("report", report=written[1].id).selectbox(key="report-incident").value == written[1].id
            assert open_page("report", report=written[2].id).selectbox(key="report-id").value == written[2].id
            # The Overview shows the daily one, whatever came later.
            assert f"{formats.span(today - 86_400, today)}" in words(open_page("overview"))
        finally:
            for one in written:
                ReportStore(client, "headrace").withdraw(one.id)


def test_an_export_holds_what_the_table_shows_and_no_formula() -> None:
    texts = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =cmd|' /C calc'!A0", "＝1", "plain", 'a "quoted", one', "–1"]
    at = datetime.fromtimestamp(0, UTC)
    rows = [(text, number, at, None) for number, text in enumerate(texts)]
    read = list(csv.reader(io.StringIO(csv_files.to_csv(["Text", "Number", "At", "=Head"], rows).decode("utf-8-sig"))))

    assert read[0] == ["Text", "Number", "At", "'=Head"]
    assert [row[0] for row in read[1:]] == [f"'{text}" for text in texts[:4]] + ["'\t=1", f"'{texts[5]}", "'＝1", *texts[7:]]
    assert [int(row[1]) for row in read[1:]] == list(range(len(texts)))
    assert read[1][2] == datetime.fromtimestamp(0, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_a_phone_shows_what_happened_and_what_was_observed_first(shop: Queries) -> None:
    found, findings = frames(open_page("anomalies", range="30d"))
    assert list(found)[:2] == ["What", "Observed"]
    assert next(iter(findings)) == "What"


def test_the_address_chooses_filters_rules_and_records(shop: Queries) -> None:
    newest = next(row for row in shop.findings() if row.rule == "email.format")
    page = open_page("anomalies", range="30d", rule="email.format", open=f"{newest.source}/email.format")
    assert page.multiselect(key="finding-rule").value == ["email.format"]
    assert set(frames(page)[1]["Rule"]) == {"email.format"}
    assert "no Kafka broker answers" in words(page) or newest.source in words(page)

    gone = open_page("anomalies", range="30d", open="customers:3:1/email.format")
    assert "customers:3:1" in words(gone)

    rule = open_page("quality", range="30d", open="customers/email.format")
    assert "email.format" in words(rule)
    assert "findings in this range" in words(rule)


def test_a_rule_shows_its_findings_of_the_range(shop: Queries) -> None:
    rows = shop.found("customers", "email.format", (None, None))
    assert rows
    page = open_page("quality", range="30d", open="customers/email.format")
    assert f"Its newest {len(rows)} findings in this range" in words(page)
    assert any(list(table.get("Source", ())) == [row.source for row in rows] for table in frames(page))
