"""The dashboard's words, numbers and figures, without a browser."""

from __future__ import annotations

import itertools
import math
import tomllib
from typing import Any

import pytest

from dashboard.charts import findings, pipeline, quality, sales
from dashboard.charts.segments import segments
from dashboard.parts import tables
from dashboard.text import formats
from dashboard.text.words import plain, sentence
from stream_app.counts.summary import Quality
from stream_app.monitor.incident import Incident
from stream_app.views.breakdown import RuleCount, SegmentRow
from stream_app.views.figures import ConformityPoint, FindingsPoint, QualityPoint, SalesPoint
from stream_app.views.pace import Sample
from stream_app.windows.grain import Grain
from tests.support.paths import ROOT

NOW = 1_790_000_123_000


def row(rule: str, count: int = 1, entity: str = "orders") -> RuleCount:
    return RuleCount(entity, rule, "error", "accuracy", "too small", None, count, None, 0.1, 0)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (formats.count(1_234_567), "1,234,567"),
        (formats.count(12_345_678), "12.35 M"),
        (formats.count(None), "–"),
        (formats.money(1_234.5, "GBP"), "£1,234.50"),
        (formats.money(1_705_323.4, "USD"), "$1,705,323"),
        (formats.money(-12.5, "GBP"), "−£12.50"),
        (formats.money(99.5, "CHF"), "99.50 CHF"),
        (formats.percent(0.99999, 2), "99.99 %"),
        (formats.percent(1.0, 2), "100.00 %"),
        (formats.percent(0.00001), "< 0.1 %"),
        (formats.relative(-0.034), "−3.4 %"),
        (formats.relative(-12.0), "−12×"),
        (formats.count(-1234), "−1,234"),
        (formats.points(-0.0025), "−0.25 pp"),
        (formats.relative(-0.0001), "0.0 %"),
        (formats.relative(None), None),
        (formats.points(0.0025), "+0.25 pp"),
        (formats.duration(38.4), "38 ms"),
        (formats.duration(2_440.0), "2.4 s"),
        (formats.duration(300_000.0), "5 min"),
        (formats.ago(NOW - 4_000, NOW), "4 s ago"),
        (formats.ago(NOW - 7_200_000, NOW), "2 h ago"),
        (formats.ago(None, NOW), "never"),
        (formats.moment(1_291_191_960_000), "1 Dec 2010, 08:26 UTC"),
        (formats.span(1_787_961_600, 1_788_048_000), "29 Aug 2026"),
        (formats.span(1_787_356_800, 1_788_048_000), "22 to 29 Aug 2026"),
        (formats.span(1_785_456_000, 1_785_628_800), "31 Jul to 1 Aug 2026"),
        (formats.span(1_798_675_200, 1_798_848_000), "31 Dec 2026 to 1 Jan 2027"),
        (formats.span(1_787_990_400, 1_787_994_000), "29 Aug 2026, 08:00 to 09:00 UTC"),
        (formats.span(1_787_990_400, 1_788_080_400), "29 Aug 2026, 08:00 UTC to 30 Aug 2026, 09:00 UTC"),
        (formats.bar_name(300), "5 minutes"),
        (formats.bar_name(7 * 86_400), "week"),
    ],
)
def test_numbers_read_well(shown: str | None, expected: str | None) -> None:
    assert shown == expected


def test_every_axis_has_a_title() -> None:
    revenue, orders = sales.sales_over_time([SalesPoint(0, 1.0, 2, True)], 60, "GBP")

    assert revenue.to_dict()["layer"][-1]["encoding"]["y"]["title"] == "Revenue (GBP)"
    assert orders.to_dict()["encoding"]["y"]["title"] == "Orders"
    assert orders.to_dict()["encoding"]["x"]["axis"]["title"] == "Event time (UTC)"


def test_dimensions_come_worst_first() -> None:
    chart = quality.by_dimension(Quality(0.9, {"accuracy": 0.99, "timeliness": 0.8, "coverage": None}))
    (rows,) = chart.to_dict()["datasets"].values()

    assert [one["dimension"] for one in rows] == ["Timeliness", "Accuracy"]


def test_a_rule_keeps_its_colour_while_it_stays_at_the_top() -> None:
    first = findings.named_rules([row(name) for name in "abcdef"])
    later = findings.named_rules([row(name) for name in "fbacde"], first)

    assert first == ["a", "b", "c", "d", "e"]
    assert later == ["a", "b", "c", "d", "f"]


def test_a_rule_of_two_entities_has_two_labels() -> None:
    names = findings.labels([row("record.syntax"), row("record.syntax", entity="customers"), row("quantity.minimum")])

    assert list(names.values()) == ["record.syntax (orders)", "record.syntax (customers)", "quantity.minimum"]


def test_findings_beyond_the_named_rules_are_drawn_together() -> None:
    rules = [row("a", 9), row("b", 2), row("c", 1)]
    points = [FindingsPoint(0, "orders", "a", 9), FindingsPoint(0, "orders", "b", 2), FindingsPoint(0, "orders", "c", 1)]
    chart = findings.findings_over_time(points, rules, [0, 60], 60, ["a"])
    (rows,) = chart.to_dict()["datasets"].values()

    assert {one["rule"]: one["findings"] for one in rows if one["findings"]} == {"a": 9, findings.OTHERS: 3}
    assert chart.to_dict()["encoding"]["color"]["scale"]["domain"] == ["a", findings.OTHERS]
    every = findings.findings_over_time(points, rules, [0, 60], 60, ["a", "b", "c"])
    assert every.to_dict()["encoding"]["color"]["scale"]["domain"] == ["a", "b", "c"]


def test_text_from_elsewhere_is_no_markdown() -> None:
    assert plain("**x** [a](b) $1$ <b>") == r"\*\*x\*\* \[a\]\(b\) \$1\$ \<b\>"


def test_tables_of_nothing_are_empty() -> None:
    assert tables.rules(()).empty
    assert tables.findings(()).empty


#: What readers without one kind of cone see of linear RGB (Machado, Oliveira and Fernandes 2009, severity 1).
BLINDNESS = {
    "none": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039)),
}


def linear(colour: str) -> list[float]:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def oklab(rgb: list[float]) -> tuple[float, float, float]:
    """A colour where equal distances look equally far apart."""
    r, g, b = (min(1.0, max(0.0, part)) for part in rgb)
    long = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)
    middle = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
    short = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
    return (
        0.2104542553 * long + 0.793617785 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.428592205 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.808675766 * short,
    )


def contrast(one: str, other: str) -> float:
    """WCAG's contrast of two colours."""
    light, dark = sorted(
        (sum(part * by for part, by in zip(linear(each), (0.2126, 0.7152, 0.0722), strict=True)) for each in (one, other)),
        reverse=True,
    )
    return (light + 0.05) / (dark + 0.05)


@pytest.fixture(params=["light", "dark"])
def colours(request: pytest.FixtureRequest) -> dict[str, Any]:
    config = tomllib.loads((ROOT / "dashboard" / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    chosen: dict[str, Any] = config["theme"][request.param]
    return chosen


@pytest.mark.parametrize("blindness", BLINDNESS)
def test_readers_of_any_colour_vision_tell_the_rules_of_a_chart_apart(colours: dict[str, Any], blindness: str) -> None:
    def seen(colour: str) -> tuple[float, float, float]:
        rgb = linear(colour)
        return oklab([sum(part * by for part, by in zip(rgb, row, strict=True)) for row in BLINDNESS[blindness]])

    drawn = colours["chartCategoricalColors"][: findings.NAMED_RULES + 1]

    assert min(math.dist(seen(one), seen(other)) for one, other in itertools.combinations(drawn, 2)) > 0.09


def test_words_are_readable_on_cards(colours: dict[str, Any]) -> None:
    names = ("textColor", "linkColor", "primaryColor", "greenColor", "redColor", "orangeColor", "grayColor")

    assert all(contrast(colours[name], colours["backgroundColor"]) >= 4.5 for name in names)


def titles(chart: Any) -> list[tuple[str, object]]:
    """Every axis of a chart that is drawn with numbers or times: (field, title)."""
    found: list[tuple[str, object]] = []
    for part in chart.to_dict().get("layer", [chart.to_dict()]):
        for name, channel in part["encoding"].items():
            if name in {"x", "y"} and "title" in channel and channel.get("type") in {"quantitative", "temporal"}:
                found.append((channel["field"], channel["title"]))
            elif name in {"x", "y"} and (channel.get("axis") or {}).get("title"):
                found.append((channel["field"], channel["axis"]["title"]))
    return found


def test_the_axes_of_every_chart_say_what_they_count_and_in_which_unit() -> None:
    measured = Quality(0.9, {"accuracy": 0.99})
    samples = [Sample(0, 0, 0), Sample(20_000, 10, 3)]
    shown = {
        "quality": quality.valid_over_time([QualityPoint(0, measured)], 60),
        "dimension": quality.by_dimension(measured),
        "findings": findings.findings_over_time([FindingsPoint(0, "orders", "a", 9)], [row("a")], [0], 60, ["a"]),
        "rejected": quality.rejected_over_time([ConformityPoint(0, 9, 1)], 60),
        "rule": findings.rule_over_time([FindingsPoint(0, "orders", "a", 9)], "orders", "a", [0], 60),
        "dimensions": quality.by_dimension_compared(measured, measured),
        "segments": segments([SegmentRow("customers", "country", "Spain", 10, 1, 0.0, {})]),
        "pace": pipeline.pace(samples),
        "lag": pipeline.lag(samples),
    }

    assert {name: dict(titles(chart)) for name, chart in shown.items()} == {
        "quality": {"start": "Event time (UTC)", "valid": "Valid records (%)"},
        "dimension": {"shortfall": "Records with findings (% of judged records)"},
        "findings": {"start": "Event time (UTC)", "findings": "Findings"},
        "rejected": {"start": "Event time (UTC)", "share": "Rejected (% of records judged)"},
        "rule": {"start": "Event time (UTC)", "findings": "Findings"},
        "dimensions": dict.fromkeys(("room", "shortfall", "before"), "Records with findings (% of judged records)"),
        "segments": {"share": "Rejected (% of records in)"},
        "pace": {"at": "Wall time (UTC)", "pace": "Records per second"},
        "lag": {"at": "Wall time (UTC)", "lag": "Unread records"},
    }


def test_a_legend_names_no_other_rules_where_there_are_none() -> None:
    chart = findings.findings_over_time([FindingsPoint(0, "orders", "a", 9)], [row("a")], [0, 60], 60, ["a"])

    assert chart.to_dict()["encoding"]["color"]["scale"]["domain"] == ["a"]


def test_anomalies_of_sales_are_marked_with_their_direction_and_others_are_not() -> None:
    def incident(metric: str, direction: str, entity: str = "orders") -> Incident:
        return Incident(
            id=metric, entity=entity, metric=metric, severity="error", state="open", start=60, end=240, grain=Grain.MINUTE,
            windows=3, observed=120_000.0, expected=480_000.0, low=None, high=None, unit="money", direction=direction,
            segment=None, updated=0,
        )  # fmt: skip

    found = [incident("revenue", "low"), incident("volume", "high"), incident("null:phone", "high")]
    marks = sales.anomalies_of([*found, incident("volume", "low", "customers")], "orders", "USD")
    series = [SalesPoint(start, 1.0, 1, True) for start in (0, 60, 120, 180)]
    bands, points, _ = sales.sales_over_time(series, 60, "USD", marks)[0].to_dict()["layer"]
    (rows,) = [
        data
        for data in sales.sales_over_time(series, 60, "USD", marks)[0].to_dict()["datasets"].values()
        if "direction" in data[0]
    ]

    assert [one["direction"] for one in rows] == ["low", "high"]
    assert rows[0]["text"] == "Revenue low: $1,200.00 instead of $4,800.00"
    assert points["encoding"]["shape"]["scale"]["range"] == ["triangle-up", "triangle-down", "diamond"]
    assert bands["mark"]["type"] == "rect"


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        ("no Kafka broker answers", "No Kafka broker answers."),
        ("orders.dlq has no such record", "orders.dlq has no such record."),
        ("HEADRACE_KAFKA is wrong", "HEADRACE_KAFKA is wrong."),
    ],
)
def test_a_problem_reads_as_a_sentence(problem: str, expected: str) -> None:
    assert sentence(problem) == expected
