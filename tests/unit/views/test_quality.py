"""Findings of the quality page and of the previous range."""

from __future__ import annotations

from stream_app.contract.summary import ContractSummary
from stream_app.counts.fields import parse
from stream_app.counts.window import Window
from stream_app.views.quality import quality_view_of
from stream_app.views.ranges import Custom
from stream_app.views.reading import RangeCounts, Stream
from stream_app.windows.grain import Grain, Span


def test_a_rule_that_found_something_only_before_counts_among_the_findings_before() -> None:
    windows = [Window(start, parse({"in": "10", f"f:{rule}": "2"})) for start, rule in ((0, "a.type"), (60, "b.type"))]
    stream = Stream(read_at=0, contracts={"orders": ContractSummary("o", "1")}, stream_ms=120_000)
    read = RangeCounts(stream, Custom(60, 120), Span(Grain.MINUTE, 60, 120, 0), first=0, windows={"orders": tuple(windows)})
    view = quality_view_of(read)

    assert [row.previous for row in view.rules] == [0]
    assert (view.kpis().findings.value, view.kpis().findings.previous) == (2, 2)
