"""Charts draw anomalies on the sales, dimensions beside the range before, segments, and lines with gaps."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.charts import findings, pipeline, quality, sales
from dashboard.charts.axes import from_zero
from dashboard.charts.segments import segments, worst_field
from dashboard.text import incidents
from stream_app.counts.summary import Quality
from stream_app.monitor.incident import Incident
from stream_app.views.breakdown import SegmentRow
from stream_app.views.figures import ConformityPoint, FindingsPoint, SalesPoint
from stream_app.views.pace import Sample, paces

HOUR = 3_600


def rows(chart: Any) -> list[dict[str, Any]]:
    """The rows of all of a chart's data sets."""
    return [row for data in chart.to_dict()["datasets"].values() for row in data]


def incident(metric: str = "revenue", entity: str = "orders", **more: Any) -> Incident:
    plain: dict[str, Any] = {
        "id": "x", "entity": entity, "metric": metric, "severity": "error", "state": "open", "start": 2 * HOUR, "end": 4 * HOUR,
        "grain": "h", "windows": 2, "observed": 12_300.0, "expected": 48_000.0, "low": 40_000.0, "high": 56_000.0,
        "unit": "money", "direction": "low", "segment": None, "updated": 0,
    }  # fmt: skip
    return Incident(**(plain | more))


def test_the_sales_chart_marks_incidents_of_sales_and_no_others() -> None:
    found = [
        incident(),
        incident("volume", direction="high", unit="records", observed=900.0, low=100.0, high=300.0),
        incident("average_order", direction="sideways"),
        incident("conformity"),
        incident("revenue", entity="customers"),
    ]
    marks = sales.anomalies_of(found, "orders", "USD")

    assert [(mark.start, mark.end, mark.direction) for mark in marks] == [
        (2 * HOUR, 4 * HOUR, "low"),
        (2 * HOUR, 4 * HOUR, "high"),
        (2 * HOUR, 4 * HOUR, "changed"),
    ]
    assert marks[0].text == "Revenue low: $123.00 instead of $400.00 to $560.00"


def test_a_mark_is_cut_to_the_time_shown_and_left_out_beyond_it() -> None:
    series = [SalesPoint(hour * HOUR, 10.0, 1, True) for hour in range(3, 6)]
    marks = [sales.Anomaly(0, 4 * HOUR, "low", "here"), sales.Anomaly(0, HOUR, "high", "before")]
    revenue, orders = sales.sales_over_time(series, HOUR, "USD", marks)
    (mark,) = [row for row in rows(revenue) if "direction" in row]

    assert (mark["text"], mark["direction"]) == ("here", "low")
    assert mark["start"].startswith("1970-01-01T03:00:00")
    assert mark["end"].startswith("1970-01-01T04:00:00")
    assert not [row for row in rows(orders) if "direction" in row]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "$123.00 instead of $400.00 to $560.00"),
        ({"direction": "high", "low": -1_006.49, "high": 8_681.0, "observed": 14_300.5}, "$143.00 instead of at most $86.81"),
        ({"unit": "records", "observed": 0.0, "expected": 8.86, "low": 0.0, "high": 34.8}, "0 instead of about 9"),
        (
            {"unit": "share", "observed": 0.98, "low": 0.0, "high": 0.021, "direction": "high"},
            "98.00 % instead of at most 2.10 %",
        ),
        ({"unit": "share", "observed": 0.02, "expected": 0.0, "low": None, "high": None}, "2.00 % instead of 0.00 %"),
        ({"unit": "score", "observed": 0.3, "expected": None, "low": None, "high": None}, "score 0.30"),
    ],
)
def test_an_incident_says_what_was_expected_and_never_a_band_that_holds_what_was_seen(more: dict[str, Any], said: str) -> None:
    assert incidents.reading(incident(**more), "USD") == said


def test_charts_of_counts_have_no_ticks_between_whole_numbers() -> None:
    points = [FindingsPoint(0, "orders", "a", 1)]
    _, orders = sales.sales_over_time([SalesPoint(0, 1.0, 2, True)], 60, "USD")
    charts = [
        orders,
        findings.findings_over_time(points, [], [0], 60, ["a"]),
        findings.rule_over_time(points, "orders", "a", [0], 60),
        pipeline.lag([Sample(0, 0, 1), Sample(3_000, 0, 1)]),
    ]

    assert [chart.to_dict()["encoding"]["y"]["axis"]["tickMinStep"] for chart in charts] == [1, 1, 1, 1]


def test_dimensions_stand_beside_the_range_before() -> None:
    now = Quality(0.9, {"accuracy": 0.99, "timeliness": 0.8, "coverage": None})
    drawn = rows(quality.by_dimension_compared(now, Quality(0.9, {"accuracy": 0.98, "timeliness": None})))

    assert [(one["dimension"], one["share"], one["share_before"]) for one in drawn] == [
        ("Timeliness", "80.00 %", "–"),
        ("Accuracy", "99.00 %", "98.00 %"),
    ]


def test_rejected_records_are_a_share_of_those_judged() -> None:
    drawn = rows(quality.rejected_over_time([ConformityPoint(0, 90, 10), ConformityPoint(60, 0, 0)], 60))

    assert drawn[0]["share"] == pytest.approx(0.1)
    assert drawn[1]["share"] is None


def segment(value: str, received: int, rejected: int, **findings: int) -> SegmentRow:
    return SegmentRow("orders", "country", value, received, rejected, 0.0, findings)


def test_segments_are_the_largest_worst_first_by_rejection_or_by_a_rule() -> None:
    found = [segment("Spain", 100, 10, a=1), segment("France", 50, 1, a=5), segment("nowhere", 0, 0)]
    many = [segment(f"v{index}", 1_000 + index, index) for index in range(20)]
    rejected = rows(segments(found))
    by_rule = rows(segments(found, "a"))

    assert [(one["value"], one["text"]) for one in rejected] == [
        ("Spain", "10.00 % of 100"),
        ("France", "2.00 % of 50"),
        ("nowhere", "0.00 % of 0"),
    ]
    assert [(one["value"], one["text"]) for one in by_rule] == [
        ("France", "10.00 % of 50"),
        ("Spain", "1.00 % of 100"),
        ("nowhere", "0.00 % of 0"),
    ]
    largest = {one["value"] for one in rows(segments(many))}
    assert largest == {f"v{index}" for index in range(8, 20)}


@pytest.mark.parametrize("values", [[], [0.0, 0.0]])
def test_an_axis_of_nothing_begins_at_zero_all_the_same(values: list[float]) -> None:
    assert from_zero(values).to_dict()["domain"] == [0, 1]
    assert from_zero([*values, 0.2]).to_dict() == {"nice": True, "domainMin": 0}


def test_the_pace_is_measured_over_ten_seconds() -> None:
    samples = [Sample(at, at // 10, None) for at in range(0, 30_001, 3_000)]

    assert [pace for _, pace in paces(samples)] == pytest.approx([100.0] * 10)
    assert paces([Sample(0, 500, 0), Sample(3_000, 20, 0)]) == []


def test_while_nobody_looked_the_lines_have_a_gap() -> None:
    looks = [0, 3_000, 6_000, 600_000, 603_000]
    samples = [Sample(at, at, 7) for at in looks]
    pace, lag = rows(pipeline.pace(samples)), rows(pipeline.lag(samples))

    assert [row["lag"] for row in lag] == [7, 7, 7, None, 7, 7]
    assert [row["pace"] for row in pace] == pytest.approx([1_000, 1_000, None, 1_000])


def test_segments_open_on_the_field_with_the_worst_value_that_has_enough_records() -> None:
    rows = [
        SegmentRow("orders", "channel", "web", 900, 9, 0.0, {}),
        SegmentRow("orders", "channel", "fax", 2, 2, 0.0, {}),
        SegmentRow("customers", "country", "Spain", 100, 40, 0.0, {}),
    ]
    assert worst_field(rows) == ("customers", "country")
    assert worst_field(rows[:2]) == ("orders", "channel")
    assert worst_field([]) is None


def test_a_segments_bar_says_of_how_many_records_and_leads_to_them() -> None:
    [row] = rows(segments([SegmentRow("customers", "country", "Spain & co", 1_200, 60, 0.0, {})], None, "7d"))
    assert row["text"] == "5.00 % of 1,200"
    assert row["link"] == "anomalies?range=7d&entity=customers&segment=country%3A+Spain+%26+co&severity=error"
