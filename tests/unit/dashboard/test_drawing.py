"""A chart is drawn again from what was made before only if everything that it shows is the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from dashboard.charts import axes, drawing, findings, quality, sales, segments
from dashboard.charts.drawing import Drawing
from dashboard.text import local
from stream_app.counts.summary import Quality
from stream_app.views.breakdown import RuleCount, SegmentRow
from stream_app.views.figures import ConformityPoint, FindingsPoint, QualityPoint, SalesPoint
from stream_app.windows.zone import UTC, Zone

DAY = 86_400
MEASURED = Quality(0.9, {"accuracy": 0.99, "coverage": 0.8})
SALES = [SalesPoint(day * DAY, 10.0 * day, day, complete=day < 2) for day in range(3)]
VALID = [QualityPoint(day * DAY, MEASURED) for day in range(3)]
OUTCOMES = [ConformityPoint(day * DAY, 90, 10) for day in range(3)]
FOUND = [FindingsPoint(day * DAY, "orders", "a", 5) for day in range(3)]
RULES = [RuleCount("orders", "a", "error", "accuracy", "", None, 15, None, 0.1, None)]
SEGMENTS = [SegmentRow("orders", "country", "Spain", 100, 7, None, {"a": 3})]
STARTS = [0, DAY, 2 * DAY]


@pytest.fixture(autouse=True)
def in_utc() -> Iterator[None]:
    local.use(UTC)
    yield
    local.use(UTC)


def shown(chart: Drawing | tuple[Drawing, Drawing]) -> list[dict[str, Any]]:
    """Return what the page gets, the rows as Python's own."""
    specs = [one.spec() for one in (chart if isinstance(chart, tuple) else (chart,))]
    for spec in specs:
        spec["datasets"] = {name: pa.ipc.open_stream(rows).read_all().to_pylist() for name, rows in spec["datasets"].items()}
    return specs


#: Kind of chart → its function, arguments, and the same with one figure changed.
CASES: dict[str, tuple[Any, tuple[Any, ...], tuple[Any, ...]]] = {
    "sales": (sales.sales_over_time, (SALES, DAY, "GBP"), ([*SALES[:2], replace(SALES[2], orders=3)], DAY, "GBP")),
    "marks": (
        sales.sales_over_time,
        (SALES, DAY, "GBP"),
        (SALES, DAY, "GBP", [sales.Anomaly(0, DAY, "low", "Revenue low")]),
    ),
    "currency": (sales.sales_over_time, (SALES, DAY, "GBP"), (SALES, DAY, "JPY")),
    "valid": (
        quality.valid_over_time,
        (VALID, DAY),
        ([QualityPoint(0, replace(MEASURED, valid=0.5)), *VALID[1:]], DAY),
    ),
    "rejected": (quality.rejected_over_time, (OUTCOMES, DAY), ([replace(OUTCOMES[0], rejected=11), *OUTCOMES[1:]], DAY)),
    "dimensions": (quality.by_dimension, (MEASURED,), (replace(MEASURED, dimensions={"accuracy": 0.98, "coverage": 0.8}),)),
    "links": (quality.by_dimension, (MEASURED, {"range": "30d"}), (MEASURED, {"range": "7d"})),
    "compared": (quality.by_dimension_compared, (MEASURED, MEASURED), (MEASURED, None)),
    "findings": (
        findings.findings_over_time,
        (FOUND, RULES, STARTS, DAY, ["a"]),
        ([replace(FOUND[0], count=6), *FOUND[1:]], RULES, STARTS, DAY, ["a"]),
    ),
    "rules": (findings.findings_over_time, (FOUND, RULES, STARTS, DAY, ["a"]), (FOUND, RULES, STARTS, DAY, [])),
    "rule": (
        findings.rule_over_time,
        (FOUND, "orders", "a", STARTS, DAY),
        (FOUND, "customers", "a", STARTS, DAY),
    ),
    "segments": (segments.segments, (SEGMENTS,), ([replace(SEGMENTS[0], rejected=8)],)),
    "counted": (segments.segments, (SEGMENTS,), (SEGMENTS, "a")),
    "zero": (segments.segments, (SEGMENTS,), ([replace(SEGMENTS[0], rejected=0)],)),
    "spark": (axes.spark, ([1.0, 2.0],), ([1.0, None, 2.0],)),
}


@pytest.mark.parametrize("kind", CASES)
def test_a_changed_figure_is_drawn_and_what_is_the_same_is_not_drawn_again(kind: str) -> None:
    draw, before, after = CASES[kind]
    first, changed = draw(*before), draw(*after)

    assert draw(*before) is first
    assert draw(*after) is changed
    # As drawn without anything that was kept.
    assert shown(changed) == shown(draw.__wrapped__(*after))
    assert shown(first) == shown(draw.__wrapped__(*before))
    assert shown(first) != shown(changed)


def test_a_chart_follows_the_clocks_of_the_settings() -> None:
    _, in_utc = sales.sales_over_time(SALES, DAY, "GBP")
    local.use(Zone("Europe/Berlin"))
    _, in_berlin = sales.sales_over_time(SALES, DAY, "GBP")

    titles = [one.to_dict()["encoding"]["x"]["axis"]["title"] for one in (in_utc, in_berlin)]
    assert titles == ["Event time (UTC)", "Event time (Europe/Berlin)"]


def test_a_list_that_changes_after_it_was_drawn_is_drawn_again() -> None:
    points = list(OUTCOMES)
    first = quality.rejected_over_time(points, DAY)
    points[0] = replace(points[0], clean=1)

    assert quality.rejected_over_time(points, DAY) is not first


def test_only_the_last_charts_are_kept() -> None:
    drawn = []

    @drawing.kept
    def draw(number: int) -> int:
        drawn.append(number)
        return number

    for number in range(drawing.CHARTS + 1):
        draw(number)
    draw(drawing.CHARTS)
    draw(0)

    assert drawn == [*range(drawing.CHARTS + 1), 0]


def test_two_charts_of_one_template_do_not_share_their_rows() -> None:
    one, other = axes.spark([1.0, 2.0]), axes.spark([3.0, 4.0])
    before = shown(one)
    spec = one.spec(background="transparent")
    spec["data"]["name"] = "elsewhere"
    shown(other)

    assert shown(one) == before
