"""Each further page shows what the store holds, filters it, and says what to do where there is nothing."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pandas as pd
import pytest
import redis
import streamlit as st
from streamlit.proto.Metric_pb2 import Metric as MetricProto
from streamlit.testing.v1 import AppTest

from dashboard.parts import tables
from dashboard.parts.rule_panel import at_risk_of
from dashboard.text import formats
from dashboard.text.advice import NO_VALUE
from headrace.embedded import EmbeddedStack
from reporter.compute import compute
from reporter.material import Health, Material
from reporter.texts import texts
from stream_app.counts.summary import quality
from stream_app.store.keys import Keys
from stream_app.store.losses import Loss
from stream_app.store.queries import Queries
from stream_app.views.pulse import read_pulse
from stream_app.views.quality import read_quality
from stream_app.views.ranges import Custom, TimeRange
from tests.support.fill import Shop, a_live_shop
from tests.support.redis_servers import RedisServer

PAGES = ("quality", "anomalies", "clean_orders", "report", "pipeline")
NOW = time.time_ns() // 1_000_000
#: Scripts as app.py makes them, without the navigation: AppTest cannot follow it.
SCRIPT = """
from dashboard.parts import frame, theme
from dashboard.screens import {name} as view
theme.apply()
frame.header("{name}")
view.page()
"""


@pytest.fixture(scope="module")
def filled() -> Iterator[str]:
    """A Redis with a shop of two months, which tests only read."""
    with EmbeddedStack(broker=False) as stack, redis.Redis.from_url(stack.redis_url) as client:
        a_live_shop(client, "headrace", NOW, days=61, per_minute=0.3).reports()
        yield stack.redis_url


@pytest.fixture(autouse=True)
def fresh(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HEADRACE_REDIS", redis_url)
    monkeypatch.setenv("HEADRACE_KAFKA", "127.0.0.1:1")
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


@pytest.fixture
def shop(filled: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queries]:
    """The filled shop, with a worker that is there now."""
    monkeypatch.setenv("HEADRACE_REDIS", filled)
    with redis.Redis.from_url(filled) as client:
        Shop(client, "headrace", until=0, now_ms=time.time_ns() // 1_000_000).beat()
        yield Queries(client, "headrace")


def open_page(name: str, **query: str) -> AppTest:
    page = AppTest.from_string(SCRIPT.format(name=name), default_timeout=30)
    for key, value in query.items():
        page.query_params[key] = value
    page.run()
    assert not page.exception
    return page


def words(page: AppTest) -> str:
    shown = [one.value for one in [*page.markdown, *page.caption, *page.error, *page.warning, *page.subheader]]
    unescaped = [re.sub(r"\\([^A-Za-z0-9\s])", r"\1", one) for one in shown]
    return "\n".join([*unescaped, *(one.proto.body for one in page.get("html"))])


def tiles(page: AppTest) -> dict[str, str]:
    return {tile.label: tile.value.replace("\\", "") for tile in page.metric}


def frames(page: AppTest) -> list[pd.DataFrame]:
    return [table.value for table in page.dataframe]


@pytest.mark.parametrize("name", PAGES)
def test_before_the_first_worker_each_page_says_what_to_run(name: str) -> None:
    assert any("headrace" in block.value for block in open_page(name).code)


@pytest.mark.parametrize("name", PAGES)
def test_without_redis_each_page_says_where_and_what_to_do(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_REDIS", "redis://:s3cret@127.0.0.1:1/0")
    said = words(open_page(name))

    assert "Redis at 127.0.0.1:1 cannot be reached" in said
    assert "s3cret" not in said


@pytest.mark.parametrize("chosen", [TimeRange.LAST_DAY, TimeRange.LAST_30_DAYS, TimeRange.ALL])
def test_the_quality_page_shows_the_stores_figures(shop: Queries, chosen: TimeRange) -> None:
    page = open_page("quality", range=chosen.value)
    view = read_quality(shop, chosen)
    rules = frames(page)[0]

    assert tiles(page)["Quality score"] == formats.percent(view.quality()[0].score, 2)
    assert tiles(page)["Conformity"] == formats.percent(view.kpis().conformity.value, 2)
    assert tiles(page)["Records in"] == formats.count(view.received)
    assert tiles(page)["Findings"] == formats.count(sum(row.count for row in view.rules))
    assert tiles(page)["Value at risk"] == formats.money(sum(row.at_risk or 0 for row in view.rules), "USD")
    assert {row: risk or None for row, risk in zip(rules["Rule"], rules["Value at risk"].fillna(0), strict=True)} == {
        row.rule: row.at_risk or None for row in view.rules
    }
    assert list(zip(rules["Rule"], rules["Findings"], strict=True)) == [(row.rule, row.count) for row in view.rules]
    assert [sum(trend) for trend in rules["Trend"]] == list(rules["Findings"])
    assert list(zip(rules["Meaning"], rules["Why it matters"], strict=True)) == [
        (row.message, row.impact or "") for row in view.rules
    ]


def test_the_quality_page_of_one_entity_counts_only_its_records(shop: Queries) -> None:
    page = open_page("quality", range="30d", entity="customers")
    view = read_quality(shop, TimeRange.LAST_30_DAYS)
    counts = view.counts["customers"]

    assert tiles(page)["Records in"] == formats.count(counts.received)
    measured = quality(view.contracts["customers"], counts.received, counts.findings)
    assert tiles(page)["Quality score"] == formats.percent(measured.score, 2)
    assert set(frames(page)[0]["Entity"]) == {"customers"}
    assert list(frames(page)[1]["Step"]) == ["lower"]


@pytest.mark.parametrize("entity", ["", "orders", "customers"])
def test_the_quality_page_compares_every_key_number_with_the_range_before(shop: Queries, entity: str) -> None:
    page = open_page("quality", range="30d", entity=entity)
    kpis = read_quality(shop, TimeRange.LAST_30_DAYS).kpis(entity or None)
    deltas = {tile.label: tile.delta for tile in page.metric}

    assert deltas["Quality score"] == formats.points(kpis.score.difference)
    assert deltas["Conformity"] == formats.points(kpis.conformity.difference)
    assert deltas["Records in"] == formats.relative(kpis.received.change)
    assert deltas["Findings"] == formats.relative(kpis.findings.change)
    assert deltas["Value at risk"] == (
        "no prices in customers" if entity == "customers" else formats.relative(kpis.at_risk.change)
    )
    assert None not in deltas.values()


TILE = """
from dashboard.parts.tiles import tile
from stream_app.views.kpis import Kpi
for value, less in ((90, False), (90, True), (110, False), (110, True), (100, False)):
    tile(f"{value} {less}", str(value), Kpi(value, 100), "vs before", "", less_is_better=less)
"""


def test_a_tile_says_by_sign_arrow_and_colour_whether_it_fell_and_whether_that_is_good() -> None:
    metrics = AppTest.from_string(TILE).run().metric
    colours, arrows = MetricProto.MetricColor, MetricProto.MetricDirection

    assert [(one.delta, colours.Name(one.proto.color), arrows.Name(one.proto.direction)) for one in metrics] == [
        ("−10.0 %", "RED", "DOWN"),
        ("−10.0 %", "GREEN", "DOWN"),
        ("+10.0 %", "GREEN", "UP"),
        ("+10.0 %", "RED", "UP"),
        ("0.0 %", "GRAY", "NONE"),
    ]


def test_the_quality_page_shows_the_value_at_risk_of_the_report(shop: Queries) -> None:
    span = read_quality(shop, TimeRange.LAST_30_DAYS).span
    assert span is not None
    health = Health(workers=1, lag=0, waiting=0, stream=span.end)
    facts = compute(
        Material(span.start, span.end, shop.contracts(), shop.period(span.start, span.end), None, (), health), texts("en")
    )
    page = open_page("quality", range="30d")
    rules = frames(page)[0].set_index("Rule")["Value at risk"]

    assert tiles(page)["Value at risk"] == formats.money(float(facts.all["all.at_risk"].value) / 100, "USD")
    # A record that comes a second time is worth nothing, whatever it says.
    assert pd.isna(rules["order_id.unique"])
    assert rules["order_date.type"] > 0


def test_a_rule_says_why_it_puts_nothing_at_risk(shop: Queries) -> None:
    view = read_quality(shop, TimeRange.LAST_30_DAYS)
    by_id = {row.rule: row for row in view.rules}

    def said(entity: str, rule: str) -> str | None:
        return at_risk_of(view, entity, rule, by_id.get(rule))

    assert said("orders", "order_date.type") == formats.money(by_id["order_date.type"].at_risk, "USD")
    assert said("orders", "quantity.minimum") == f"{formats.NOTHING} ({NO_VALUE})"
    assert said("orders", "order_id.unique") == f"{formats.NOTHING} ({NO_VALUE})"
    assert said("orders", "record.syntax") == f"{formats.NOTHING} (quantity and price could not be read in its records)"
    assert said("customers", "email.format") is None


def test_the_quality_page_tells_unknown_fields_and_empty_ones(shop: Queries) -> None:
    unknown, nulls = frames(open_page("quality", range="30d"))[2:4]

    assert list(unknown["Field"]) == ["coupon_code", "utm source"]
    assert list(nulls["Field"]) == ["phone"]
    assert 20 < nulls["Empty"][0] < 40


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


def test_a_custom_range_shows_what_lies_in_it(shop: Queries) -> None:
    stream = read_pulse(shop).stream_ms
    assert stream is not None
    day = stream // 86_400_000 * 86_400
    chosen = Custom(day - 20 * 86_400, day - 10 * 86_400)
    page = open_page("quality", range=chosen.value)

    assert tiles(page)["Records in"] == formats.count(read_quality(shop, chosen).received)
    assert read_quality(shop, chosen).received > 0
    assert page.query_params["range"] == chosen.value


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


def test_the_pipeline_page_shows_counts_contracts_and_workers(shop: Queries) -> None:
    page = open_page("pipeline")
    pulse = read_pulse(shop)
    entities = frames(page)[0]

    assert tiles(page)["Throughput"] == "1,840 /s"
    assert tiles(page)["Workers"] == "1"
    assert tiles(page)["Latency"] == "38 ms"
    assert list(entities["In"]) == [total.received for total in pulse.totals.values()]
    assert next(iter(entities["Contract in force"])) == "headrace-shop-orders:1.0.0"
    assert "No Kafka broker answers at 127.0.0.1:1" in words(page)
    assert tiles(page)["Unread"] == "0"
    assert tiles(page)["Waiting"] == "3"


def test_a_pipeline_without_workers_says_what_is_unknown_and_what_to_run(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        shop = Shop(client, "headrace", until=NOW // 1_000, now_ms=NOW)
        shop.announce()
        shop.fill(20)
    page = open_page("pipeline")

    assert [tiles(page)[name] for name in ("Throughput", "Unread", "Latency", "Workers")] == [
        "–",
        "unknown",
        "–",
        "0",
    ]
    assert [block.value for block in page.code] == ["headrace worker"]


def test_a_workers_last_error_is_shown_as_text(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        shop = Shop(client, "headrace", until=NOW // 1_000, now_ms=time.time_ns() // 1_000_000)
        shop.announce()
        shop.beat(state="retrying", error="<b>ConnectionError</b>: **no** broker")
    shown = words(open_page("pipeline"))

    assert "&lt;b&gt;ConnectionError&lt;/b&gt;: **no** broker" in shown
    assert "<b>" not in shown


def test_lost_records_are_on_the_pipeline_page(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        shop = Shop(client, "headrace", until=NOW // 1_000, now_ms=time.time_ns() // 1_000_000)
        shop.announce()
        loss = Loss("orders", "orders", 1, records=1_234, since=NOW, at=NOW, begin=20, end=60)
        client.hset(Keys("headrace").lost(), "orders/id/1", msgspec.json.encode(loss))
    assert "up to 1,234 records are lost" in words(open_page("pipeline"))


def test_an_export_holds_what_the_table_shows_and_no_formula() -> None:
    texts = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =cmd|' /C calc'!A0", "＝1", "plain", 'a "quoted", one', "–1"]
    frame = pd.DataFrame({"Text": texts, "Number": range(len(texts)), "At": pd.Timestamp(0, tz="UTC"), "=Head": None})
    read = list(csv.reader(io.StringIO(tables.to_csv(frame).decode("utf-8-sig"))))

    assert read[0] == ["Text", "Number", "At", "'=Head"]
    assert [row[0] for row in read[1:]] == [f"'{text}" for text in texts[:4]] + ["'\t=1", f"'{texts[5]}", "'＝1", *texts[7:]]
    assert [int(row[1]) for row in read[1:]] == list(range(len(texts)))
    assert read[1][2] == datetime.fromtimestamp(0, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_a_redis_that_evicts_is_said_on_every_page_and_in_full_on_the_pipeline_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RedisServer(tmp_path) as server, server.client() as client:
        Shop(client, "headrace", until=NOW // 1000, now_ms=NOW).announce()
        monkeypatch.setenv("HEADRACE_REDIS", server.url)
        server.configure(maxmemory_policy="allkeys-lfu", maxmemory="1gb")

        assert "maxmemory-policy is allkeys-lfu" in words(open_page("quality"))
        said = words(open_page("pipeline"))
        for text in ("Figures may be wrong", "maxmemory-policy is allkeys-lfu", "of 1,074 MB", "appendonly", "none", "master"):
            assert text in said
        server.configure(maxmemory_policy="noeviction")
        st.cache_resource.clear()
        assert "Figures may be wrong" not in words(open_page("quality"))
