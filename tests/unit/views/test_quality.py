"""Findings of the quality page and of the previous range."""

from __future__ import annotations

from stream_app.contract.summary import ContractSummary, RuleSummary
from stream_app.counts.fields import parse
from stream_app.counts.window import Window
from stream_app.views.overview import overview_of
from stream_app.views.quality import quality_view_of
from stream_app.views.ranges import Custom
from stream_app.views.reading import RangeCounts, Stream
from stream_app.views.totals import totals_of
from stream_app.windows.grain import Grain, Span


def test_a_rule_that_found_something_only_before_counts_among_the_findings_before() -> None:
    windows = [Window(start, parse({"in": "10", f"f:{rule}": "2"})) for start, rule in ((0, "a.type"), (60, "b.type"))]
    stream = Stream(read_at=0, contracts={"orders": ContractSummary("o", "1")}, stream_ms=120_000)
    read = RangeCounts(stream, Custom(60, 120), Span(Grain.MINUTE, 60, 120, 0), first=0, windows={"orders": tuple(windows)})
    view = quality_view_of(read)

    assert [row.previous for row in view.rules] == [0]
    assert (view.kpis().findings.value, view.kpis().findings.previous) == (2, 2)


def test_what_only_counts_is_no_finding_anywhere() -> None:
    """A rule that the contract does not have any more marked or rejected while it did."""
    rules = {one: RuleSummary(dimension="validity", severity=one) for one in ("error", "warning", "info")}
    contracts = {"orders": ContractSummary("o", "1", rules=rules)}
    counted = {"in": "10", "clean": "10", "f:error": "1", "f:warning": "2", "f:info": "4", "f:gone": "8"}
    stream = Stream(read_at=0, contracts=contracts, stream_ms=120_000)
    windows = {"orders": (Window(60, parse(counted)),)}
    read = RangeCounts(stream, Custom(60, 120), Span(Grain.MINUTE, 60, 120, 0), first=0, windows=windows)
    quality, overview = quality_view_of(read), overview_of(read)

    assert quality.kpis().findings.value == 11
    assert [row.rule for row in quality.rules] == ["gone", "warning", "error", "info"]
    assert sum(row.count for row in quality.rules if row.is_finding) == 11
    assert [row.rule for row in overview.rules] == ["gone", "warning", "error"]
    assert sum(point.count for point in overview.findings_series) == 11
    assert totals_of(contracts, quality.counts).findings == 11


def test_records_whose_worth_is_in_doubt_are_at_risk_at_the_average_of_clean_ones() -> None:
    contracts = {name: ContractSummary(name, "1", revenue=name != "customers") for name in ("orders", "returns", "customers")}
    counted = {
        # Two clean ones are in doubt themselves: a hundredfold price says nothing about the others.
        "orders": {
            "in": "32",
            "clean": "22",
            "rejected": "10",
            "rev": "5050000",
            "risk": "700",
            "unvalued": "3",
            "doubt": "2",
            "doubtrev": "5000000",
        },
        "returns": {"in": "5", "rejected": "5", "risk": "40", "unvalued": "4"},  # none is clean: nobody knows
        "customers": {"in": "9", "rejected": "9", "risk": "1000000", "unvalued": "9"},
    }
    totals = totals_of(contracts, {entity: parse(one) for entity, one in counted.items()})
    assert (totals.at_risk_minor, totals.usual_minor, totals.unvalued) == (700 + 3 * 2_500 + 40, 7_500, 7)


def test_a_rule_and_an_unknown_field_are_compared_without_the_window_that_runs() -> None:
    """Two hours, the second half over, and the two hours before: as many findings an hour."""
    hours = [Window(at, parse({"in": "9", "clean": "9", "f:a": "6", "u:x": "4"})) for at in (0, 3_600, 7_200)]
    running = Window(10_800, parse({"in": "5", "clean": "5", "f:a": "3", "u:x": "2"}))
    stream = Stream(read_at=0, contracts={"orders": ContractSummary("o", "1")}, stream_ms=12_600_000)
    span = Span(Grain.HOUR, 7_200, 14_400, 0)
    read = RangeCounts(stream, Custom(7_200, 14_400), span, first=0, windows={"orders": (*hours, running)})
    view = quality_view_of(read)
    assert [(row.count, row.change) for row in view.rules] == [(9, 0)]
    assert [(row.count, row.change) for row in view.unknown] == [(6, 0)]
    assert [row.change for row in overview_of(read).rules] == [0]
    whole = quality_view_of(RangeCounts(stream, Custom(3_600, 7_200), Span(Grain.HOUR, 3_600, 7_200), first=0,
                                        windows=read.windows))  # fmt: skip
    assert [row.change for row in whole.rules] == [None]
