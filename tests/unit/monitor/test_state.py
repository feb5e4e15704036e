"""The monitor takes any counts, keeps little of them, and knows what time it is without looking at a clock."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_app.monitor import Incident, Monitor, Window, windows_of
from tests.support.windows import HOUR, MONDAY, ORDERS

NAMES = st.sampled_from(
    ["in", "clean", "rejected", "pending", "rev", "n:coupon", "u:x", "u:", "r:price.number", "r:", "f:price.required",
     "f:order_id.unique", "f:nobody", "s|country|in|Japan", "s|country|in|", "s|country|rejected|Japan", "s|x", "v:a"]
)  # fmt: skip
NUMBERS = st.integers(-(10**15), 10**15)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.dictionaries(NAMES, NUMBERS, max_size=8), min_size=1, max_size=60))
def test_no_counts_stop_it(windows: list[dict[str, int]]) -> None:
    monitor, state = Monitor(ORDERS), None
    for number, counts in enumerate(windows):
        state, changes = monitor.step(state, Window(MONDAY + number * HOUR, counts))
        for change in changes:
            assert Incident.from_json(change.incident.to_json()) == change.incident
        state = json.loads(json.dumps(state, allow_nan=False))


@pytest.mark.parametrize(("grain", "seconds", "most"), [("h", HOUR, 150_000), ("m", 60, 250_000)])
def test_the_state_stays_small_whatever_the_stream_holds(grain: str, seconds: int, most: int) -> None:
    rng = random.Random(1)
    monitor, state, largest = Monitor(ORDERS, grain), None, 0
    for number in range(120):
        counts = {"in": 5_000, "clean": 3_000, "rejected": 2_000, "rev": rng.randrange(10**12)}
        counts |= {f"f:{rule}": rng.randrange(2_000) for rule in ORDERS.rules}
        counts |= {f"u:{rng.randrange(10**9):040d}": rng.randrange(1_000) for _ in range(60)}
        counts |= {f"s|country|in|{rng.randrange(10**9)}": rng.randrange(100) for _ in range(200)}
        # Sparse in time, so that every hour of the week is seen.
        start = MONDAY + number * 85 * 60 // seconds * seconds
        state, _ = monitor.step(state, Window(start, counts))
        largest = max(largest, len(json.dumps(state, separators=(",", ":"))))
    assert largest < most


def test_a_window_counts_once() -> None:
    monitor = Monitor(ORDERS)
    state, _ = monitor.step(None, Window(MONDAY, {"in": 1}))
    with pytest.raises(ValueError, match="does not lie behind"):
        monitor.step(state, Window(MONDAY, {"in": 1}))


def test_nothing_is_known_before_the_first_record() -> None:
    state, changes = Monitor(ORDERS).step(None, Window(MONDAY, {}))
    assert changes == []
    assert state["at"] is None


def test_a_state_of_another_contract_starts_afresh() -> None:
    monitor = Monitor(ORDERS)
    state, _ = monitor.step({"format": 0}, Window(MONDAY, {"in": 3, "clean": 3}))
    assert state["at"] == MONDAY


def test_windows_are_made_of_minutes_without_gaps() -> None:
    minute = MONDAY // 60
    minutes = {minute: {"in": 1}, minute + 59: {"in": 2}, minute + 130: {"in": 4}}
    assert list(windows_of(minutes, "h")) == [
        Window(MONDAY, {"in": 3}), Window(MONDAY + HOUR, {}), Window(MONDAY + 2 * HOUR, {"in": 4}),
    ]  # fmt: skip
    cut = windows_of(minutes, "h", MONDAY - HOUR, MONDAY + 2 * HOUR + 1)
    assert [one.start for one in cut] == [MONDAY - HOUR, MONDAY, MONDAY + HOUR]
    assert [one.counts for one in windows_of(minutes, "d")] == [{"in": 7}]
    assert list(windows_of({}, "h")) == []
