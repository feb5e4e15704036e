"""The quality page shows the figures of the store and of the report, for each range and entity."""

from __future__ import annotations

import pandas as pd
import pytest
from streamlit.proto.Metric_pb2 import Metric as MetricProto
from streamlit.testing.v1 import AppTest

from dashboard.parts.rule_panel import at_risk_of
from dashboard.text import formats
from dashboard.text.advice import NO_VALUE
from reporter.compute import compute
from reporter.material import Health, Material
from reporter.texts import texts
from stream_app.counts.summary import quality
from stream_app.store.queries import Queries
from stream_app.views.pulse import read_pulse
from stream_app.views.quality import read_quality
from stream_app.views.ranges import Custom, TimeRange
from tests.support.pages import frames, open_page, tiles


@pytest.mark.parametrize("chosen", [TimeRange.LAST_DAY, TimeRange.LAST_30_DAYS, TimeRange.ALL])
def test_the_quality_page_shows_the_stores_figures(shop: Queries, chosen: TimeRange) -> None:
    page = open_page("quality", range=chosen.value)
    view = read_quality(shop, chosen)
    rules = frames(page)[0]

    assert tiles(page)["Valid records"] == formats.percent(view.quality()[0].valid, 2)
    assert tiles(page)["Conformity"] == formats.percent(view.kpis().conformity.value, 2)
    assert tiles(page)["Records in"] == formats.count(view.received)
    assert tiles(page)["Findings"] == formats.count(sum(row.count for row in view.rules))
    assert view.kpis().usual_worth
    assert tiles(page)["Value at risk"] == formats.about(formats.money(view.kpis().at_risk.value, "USD"))
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
    measured = quality(view.contracts["customers"], counts)
    assert tiles(page)["Valid records"] == formats.percent(measured.valid, 2)
    assert set(frames(page)[0]["Entity"]) == {"customers"}
    assert list(frames(page)[1]["Step"]) == ["lower"]


@pytest.mark.parametrize("entity", ["", "orders", "customers"])
def test_the_quality_page_compares_every_key_number_with_the_range_before(shop: Queries, entity: str) -> None:
    page = open_page("quality", range="30d", entity=entity)
    kpis = read_quality(shop, TimeRange.LAST_30_DAYS).kpis(entity or None)
    deltas = {tile.label: tile.delta for tile in page.metric}

    assert deltas["Valid records"] == formats.points(kpis.valid.difference)
    assert deltas["Conformity"] == formats.points(kpis.conformity.difference)
    assert deltas["Records in"] == formats.relative(kpis.received.change)
    assert deltas["Findings"] == formats.relative(kpis.findings.change)
    # A change that records at an average may have made is not shown as one.
    change = formats.NOTHING if kpis.at_risk.unclear else formats.relative(kpis.at_risk.change)
    assert deltas["Value at risk"] == ("no prices in customers" if entity == "customers" else change)
    assert None not in deltas.values()


TILE = """
from dashboard.parts.tiles import tile
from stream_app.views.kpis import Kpi
for value, less in ((90, False), (90, True), (110, False), (110, True), (100, False)):
    tile(f"{value} {less}", str(value), Kpi(value, value, 100), "vs before", "", less_is_better=less)
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

    assert tiles(page)["Value at risk"] == formats.about(formats.money(float(facts.all["all.at_risk"].value) / 100, "USD"))
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
    assert list(nulls["Field"]) == ["customer_id", "phone"]
    assert 20 < nulls["Empty"][1] < 40
    assert 60 < nulls["Empty"][0] < 75


def test_a_custom_range_shows_what_lies_in_it(shop: Queries) -> None:
    stream = read_pulse(shop).stream_ms
    assert stream is not None
    day = stream // 86_400_000 * 86_400
    chosen = Custom(day - 20 * 86_400, day - 10 * 86_400)
    page = open_page("quality", range=chosen.value)

    assert tiles(page)["Records in"] == formats.count(read_quality(shop, chosen).received)
    assert read_quality(shop, chosen).received > 0
    assert page.query_params["range"] == chosen.value
