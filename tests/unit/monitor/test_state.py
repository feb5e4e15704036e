"""The monitor takes any counts, keeps little of them, and knows what time it is without looking at a clock."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_app.monitor import Incident, Monitor, State, windows_of
from stream_app.windows.grain import Grain
from tests.support.examples import examples
from tests.support.windows import HOUR, MONDAY, ORDERS, window

NAMES = st.sampled_from(
    ["in", "clean", "rejected", "pending", "rev", "n:coupon", "u:x", "u:", "r:price.number", "r:", "f:price.required",
     "f:order_id.unique", "f:nobody", "s|country|in|Japan", "s|country|in|", "s|country|rejected|Japan", "s|x", "v:a"]
)  # fmt: skip
NUMBERS = st.integers(-(10**15), 10**15)


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(st.dictionaries(NAMES, NUMBERS, max_size=8), min_size=1, max_size=60))
def test_no_counts_stop_it(windows: list[dict[str, int]]) -> None:
    monitor, state = Monitor(ORDERS), None
    for number, counts in enumerate(windows):
        state, changes = monitor.step(state, window(MONDAY + number * HOUR, counts))
        for change in changes:
            assert Incident.from_json(change.incident.to_json()) == change.incident
        # A number that JSON does not have would be null.
        assert State.from_json(state.to_json()) == state


@pytest.mark.parametrize(("grain", "seconds", "most"), [(Grain.HOUR, HOUR, 150_000), (Grain.MINUTE, 60, 250_000)])
def test_the_state_stays_small_whatever_the_stream_holds(grain: Grain, seconds: int, most: int) -> None:
    rng = random.Random(1)
    monitor, state, largest = Monitor(ORDERS, grain), None, 0
    for number in range(120):
        counts = {"in": 5_000, "clean": 3_000, "rejected": 2_000, "rev": rng.randrange(10**12)}
        counts |= {f"f:{rule}": rng.randrange(2_000) for rule in ORDERS.rules}
        counts |= {f"u:{rng.randrange(10**9):040d}": rng.randrange(1_000) for _ in range(60)}
        counts |= {f"s|country|in|{rng.randrange(10**9)}": rng.randrange(100) for _ in range(200)}
        # Sparse in time, so that every hour of the week is seen.
        start = MONDAY + number * 85 * 60 // seconds * seconds
        state, _ = monitor.step(state, window(start, counts))
        largest = max(largest, len(state.to_json()))
    assert largest < most


def test_a_window_counts_once() -> None:
    monitor = Monitor(ORDERS)
    state, _ = monitor.step(None, window(MONDAY, {"in": 1}))
    with pytest.raises(ValueError, match="not later than the window before"):
        monitor.step(state, window(MONDAY, {"in": 1}))


def test_nothing_is_known_before_the_first_record() -> None:
    state, changes = Monitor(ORDERS).step(None, window(MONDAY, {}))
    assert changes == []
    assert state.at is None


def test_a_state_of_another_contract_starts_afresh() -> None:
    other = Monitor(replace(ORDERS, segments=())).step(None, window(MONDAY + HOUR, {"in": 3, "clean": 3}))[0]
    state, _ = Monitor(ORDERS).step(other, window(MONDAY, {"in": 5, "clean": 5}))
    assert (state.at, state.records) == (MONDAY, 5)


@pytest.mark.parametrize("document", ["{}", '{"format": 0}', "[]", "", '{"format": 1, "at": "monday"}'])
def test_a_document_that_is_not_a_state_is_not_read(document: str) -> None:
    assert State.from_json(document) is None


def test_windows_are_made_of_minutes_without_gaps() -> None:
    minute = MONDAY // 60
    minutes = {minute: {"in": 1}, minute + 59: {"in": 2}, minute + 130: {"in": 4}}
    assert list(windows_of(minutes, Grain.HOUR)) == [
        window(MONDAY, {"in": 3}), window(MONDAY + HOUR, {}), window(MONDAY + 2 * HOUR, {"in": 4}),
    ]  # fmt: skip
    cut = windows_of(minutes, Grain.HOUR, MONDAY - HOUR, MONDAY + 2 * HOUR + 1)
    assert [one.start for one in cut] == [MONDAY - HOUR, MONDAY, MONDAY + HOUR]
    assert [one.counts.received for one in windows_of(minutes, Grain.DAY)] == [7]
    assert list(windows_of({}, Grain.HOUR)) == []
