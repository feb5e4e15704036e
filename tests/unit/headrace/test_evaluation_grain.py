"""The evaluation watches windows of the length that a trial asks for."""

from __future__ import annotations

from collections import defaultdict

import pytest

from headrace.evaluation.run import START_MS, Watch
from stream_app.contract import load_shop
from stream_app.counts.tally import Tally
from stream_app.monitor.tuning import RHYTHMS
from stream_app.windows.grain import Grain


@pytest.mark.parametrize("grain", Grain)
def test_the_monitor_of_an_evaluation_looks_at_windows_of_the_grain_that_was_asked_for(grain: Grain) -> None:
    shop, start = load_shop(None), START_MS // 1000
    watch = Watch(shop, start, grain=grain, grace=0.0)
    tallies = {entity: Tally(contract) for entity, contract in shop.contracts.items()}
    orders = tallies["orders"]
    # One batch of records a window, at its start; the last windows have none.
    windows = RHYTHMS[grain].warm_up + 20
    for number in range(windows + 3):
        at = start + number * grain.seconds
        if number < windows:
            orders.minutes[at // 60] = defaultdict(int, {"in": 300, "clean": 300})
        orders.stream_ms = (at + grain.seconds) * 1000
        watch.advance(tallies)
    (alarm,) = watch.alarms
    assert (alarm.name, alarm.seconds) == ("orders:volume", grain.seconds)
    assert alarm.at == start + windows * grain.seconds
    assert alarm.end == alarm.at + grain.seconds
