"""The monitor expects what planned events bring, learns nothing from it, and still finds what goes wrong on these days."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from stream_app.contract.planned import Planned
from stream_app.counts.window import Window
from stream_app.monitor import Incident, Monitor, State
from stream_app.monitor.acts import Act, tuned
from stream_app.monitor.tuning import Tuning
from stream_app.windows.grain import Grain
from tests.support.windows import HOUR, MONDAY, ORDERS, between, shop_windows

#: Monday of the fourth week, from 6 h to 18 h.
BEGIN, LAST = 3 * 168 + 6, 3 * 168 + 18
DAY = (MONDAY + 3 * 168 * HOUR, MONDAY + (3 * 168 + 24) * HOUR)


def scaled(factor: float) -> Callable[[dict[str, int]], None]:
    def change(counts: dict[str, int]) -> None:
        for name in list(counts):
            counts[name] = round(counts[name] * factor)

    return change


def found(windows: Iterable[Window], planned: tuple[Planned, ...] = (), tuning: Tuning | None = None) -> list[Incident]:
    monitor = Monitor(ORDERS, Grain.HOUR, tuning, planned)
    state: State | None = None
    newest: dict[str, Incident] = {}
    for window in windows:
        state, changes = monitor.step(state, window)
        newest |= {change.incident.id: change.incident for change in changes}
    return [one for one in newest.values() if one.start >= DAY[0]]


def day(kind: str) -> tuple[Planned, ...]:
    return (Planned("a day", kind, *DAY),)


@pytest.mark.parametrize(("kind", "factor"), [("sale", 4.0), ("closed", 0.0)])
def test_what_an_event_brings_is_no_incident_then_or_the_week_after(kind: str, factor: float) -> None:
    windows = list(shop_windows(BEGIN + 8 * 24, twist=between(BEGIN, LAST, scaled(factor))))
    assert {one.metric for one in found(windows)} >= {"volume"}
    assert found(windows, day(kind)) == []


def test_an_outage_during_a_sale_is_an_incident() -> None:
    windows = shop_windows(LAST + 8, twist=between(BEGIN, LAST, lambda counts: counts.clear()))
    assert "volume" in {one.metric for one in found(windows, day("sale"))}


def test_other_entities_have_their_usual_day() -> None:
    windows = shop_windows(LAST + 8, twist=between(BEGIN, LAST, scaled(4.0)))
    assert "volume" in {one.metric for one in found(windows, (Planned("a day", "sale", *DAY, ("customers",)),))}


def test_false_alarms_raise_the_deviation_that_is_an_incident() -> None:
    windows = list(shop_windows(LAST + 8, twist=between(BEGIN, LAST, scaled(0.68))))
    assert "volume" in {one.metric for one in found(windows)}
    acts = [Act(str(n), f"orders.volume.{n}", "orders", "volume", "false_alarm", "Ann", n, judged=MONDAY) for n in range(9)]
    tuning = tuned(Tuning(), acts, "orders", DAY[0])
    first = min(one.start for one in found(windows) if one.metric == "volume")
    later = [one.start for one in found(windows, (), tuning) if one.metric == "volume"]
    assert not later or min(later) > first
