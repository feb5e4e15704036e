"""The status of the last 24 hours, and the windows of one cause."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from dashboard.parts.status_line import parts
from dashboard.text import markup
from stream_app.contract.summary import ContractSummary, RuleSummary
from stream_app.counts.fields import parse
from stream_app.counts.samples import RecentFinding
from stream_app.counts.window import Window
from stream_app.monitor.causes import causes
from stream_app.store.acts import new_act
from stream_app.store.queries import Monitored
from stream_app.views.incidents import findings_of, measured, open_causes, segments_of, series_of, status_of
from stream_app.windows.grain import Grain
from tests.support.staged import COUNTRY, HOUR, country_gone

NOW = 1_767_571_200 + 40 * HOUR


def level(hours_behind: int = 0) -> dict[str, Monitored]:
    return {"orders": Monitored(Grain.HOUR, NOW - hours_behind * HOUR), "customers": Monitored(Grain.HOUR, NOW)}


def test_the_worst_of_the_last_day_is_the_status() -> None:
    status = status_of(country_gone(NOW), NOW * 1_000, level())
    assert status.worst is not None
    assert status.worst.lead.metric == "volume"
    assert (status.causes, status.open, status.until, status.behind) == (1, 1, NOW, False)


def test_what_closed_more_than_a_day_ago_is_not_in_it() -> None:
    over = country_gone(NOW - 25 * HOUR, state="closed")
    assert status_of(over, NOW * 1_000, level()).worst is None
    assert status_of(country_gone(NOW - 23 * HOUR, state="closed"), NOW * 1_000, level()).worst is not None


@pytest.mark.parametrize(("hours", "behind"), [(0, False), (1, False), (2, True), (9, True)])
def test_a_monitor_that_lacks_windows_is_behind(hours: int, behind: bool) -> None:
    assert status_of([], NOW * 1_000 + 1_800_000, level(hours)).behind is behind


def test_an_entity_with_records_that_was_never_judged_is_behind() -> None:
    for entities, behind in ((("orders", "customers"), False), (("orders", "visits"), True), ((), False)):
        assert status_of([], NOW * 1_000, level(), entities=entities).behind is behind
    status = status_of([], NOW * 1_000, level(), entities=["orders", "customers", "visits"])
    assert "all normal" not in str(markup.join(*parts(status, "USD")))


def test_nothing_is_known_before_the_first_window() -> None:
    status = status_of([], NOW * 1_000, {})
    assert (status.worst, status.until, status.behind) == (None, None, True)


def test_the_series_has_counts_around_and_the_band_within() -> None:
    volume, _ = country_gone(NOW)
    windows = [Window(at, parse({"in": 90})) for at in range(volume.start - 3 * HOUR, volume.start, HOUR)]
    series = series_of(volume, [*windows, Window(volume.start, parse({"in": 41}))])
    assert [point.observed for point in series] == [90, 90, 90, 41, 0, 0, 0, 0, 0]
    assert [point.low for point in series] == [None] * 3 + [70.0] * 6


def test_shares_of_a_segment_are_recounted() -> None:
    (cause,) = causes(country_gone(NOW))
    before = Window(cause.start - HOUR, parse({f"s|{COUNTRY}|in|United Kingdom": 55, f"s|{COUNTRY}|in|France": 45}))
    during = Window(cause.start, parse({f"s|{COUNTRY}|in|France": 40}))
    rows = segments_of(cause, COUNTRY, [before, during])
    assert [(row.value, row.records, row.share, row.before) for row in rows] == [
        ("France", 40, 1.0, 0.45), ("United Kingdom", 0, 0.0, 0.55),
    ]  # fmt: skip


def test_a_mix_is_measured_as_the_share_of_its_value() -> None:
    _, mix = country_gone(NOW)
    assert measured(mix, parse({f"s|{COUNTRY}|in|United Kingdom": 5, f"s|{COUNTRY}|in|France": 15})) == 0.25


def test_what_people_have_settled_is_not_the_worst_and_yet_not_normal() -> None:
    volume, mix = country_gone(NOW)
    act = new_act(mix, "resolved", "ann@example.org")
    status = status_of([volume, mix], NOW * 1_000, level(), [act])
    assert (status.worst, status.causes, status.open, status.settled) == (None, 0, 0, 1)
    said = str(markup.join(*parts(status, "USD")))
    assert "1 incident is settled" in said
    assert "normal" not in said
    assert "all normal" in str(markup.join(*parts(status_of([], NOW * 1_000, level(), [act]), "USD")))
    assert "No other incident so far" in str(markup.join(*parts(status_of([volume, mix], NOW * 1_000, level(9), [act]), "USD")))


def test_the_findings_of_a_cause_are_found_by_rule_however_many_came_since() -> None:
    start = NOW - 30 * HOUR
    volume = country_gone(start + 6 * HOUR, state="closed")[0]
    rules = {f"r{n}": RuleSummary("validity", "error" if n else "warning") for n in range(8)}
    contract = ContractSummary("orders", "1", rules=rules)
    windows = [Window(at, parse({f"f:r{n}": 10 - n for n in range(8)})) for at in (start, start + HOUR)]
    windows.append(Window(NOW, parse({"f:r7": 1_000})))
    kept = {rule: [RecentFinding(entity="orders", rule=rule, severity=rules[rule].severity, source=f"orders:0:{n}",
                                 event_time=(start + n * HOUR) * 1_000) for n in (0, 2, 9)] for rule in rules}  # fmt: skip
    recent = [RecentFinding(entity="orders", rule="r7", severity="error", source="orders:0:99", event_time=NOW * 1_000)]

    def shown(metric: str) -> list[tuple[str, str]]:
        (cause,) = causes([replace(volume, metric=metric, segment=None)])
        found = findings_of(cause, windows, contract, recent, kept.__getitem__)
        return [(one.rule, one.source) for one in found]

    assert shown("finding:r7") == [("r7", "orders:0:2"), ("r7", "orders:0:0")]
    most = [f"r{n}" for n in range(1, 6)]
    assert shown("conformity") == [(rule, f"orders:0:{n}") for n in (2, 0) for rule in most]
    assert shown("volume") == shown("conformity")


def test_a_band_counts_causes_that_are_open_in_the_range_and_not_settled() -> None:
    volume, mix = country_gone(NOW)
    other = replace(volume, id="customers.volume.1", entity="customers", segment=None)
    over = replace(volume, id="visits.volume.1", entity="visits", state="closed", segment=None)
    found = [volume, mix, other, over]
    # Two incidents of one cause count once; one that goes on is in a range after the last judged window.
    assert open_causes(found) == open_causes(found, until=NOW + HOUR) == 2
    assert open_causes(found, until=volume.start) == 0
    assert open_causes(found, [new_act(mix, "expected", "Ann")]) == 1
    assert open_causes(found, [new_act(mix, "acknowledged", "Ann")]) == 2
