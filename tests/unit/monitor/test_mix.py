"""The mix of a segment field: shares so far, the value that stands out, and what is learned."""

from __future__ import annotations

from typing import Any

import pytest

from stream_app.contract.segments import NONE, OTHER
from stream_app.counts.fields import SegmentCounts
from stream_app.monitor.mix import VALUES, Mix
from stream_app.monitor.robust import binomial_score
from stream_app.monitor.shares import LEAST
from stream_app.monitor.state import MixState, MixValue, Sums
from stream_app.monitor.tuning import RHYTHMS, Tuning
from stream_app.windows.grain import Grain

RHYTHM = RHYTHMS[Grain.HOUR]


def mix(windows: int = 24, records: float = 1_000.0, scores: tuple[float, ...] = (), **values: float) -> Mix:
    state = MixState(windows, records, list(scores), {name: MixValue(number) for name, number in values.items()})
    return Mix(RHYTHM, Tuning(), state)


def test_the_usual_shares_are_those_of_the_records() -> None:
    assert mix(A=700.0, B=300.0).usual() == {"A": 0.7, "B": 0.3}
    assert mix(records=0.0, A=700.0).usual() == {}


def test_values_beyond_those_that_are_followed_count_as_others() -> None:
    counts = {f"v{number:02}": SegmentCounts(100 - number) for number in range(VALUES + 1)}
    counts |= {NONE: SegmentCounts(500), "known": SegmentCounts(1), "gone": SegmentCounts(0), "less": SegmentCounts(-1)}
    found = mix(known=5.0).records(counts)
    # One is known already, so that 39 are free: v39 and v40, the least frequent ones, are together.
    assert found == {f"v{number:02}": 100 - number for number in range(VALUES - 1)} | {OTHER: 61 + 60, "known": 1}


def test_nothing_is_said_during_the_warm_up_or_of_few_records() -> None:
    assert mix(23, A=700.0, B=300.0).assess({"A": 100}, None) is None
    assert mix(A=700.0, B=300.0).assess({"A": 9}, None) is None
    assert mix(A=700.0, B=300.0).assess({"A": 10}, None) is not None


def test_the_value_whose_share_has_changed_most_stands_out() -> None:
    mixed = mix(A=500.0, B=300.0, C=200.0)
    shift = mixed.assess({"A": 120, "B": 80}, None)
    assert shift is not None
    assert (shift.value, shift.now, shift.before) == ("C", 0.0, 0.2)
    assert shift.score == pytest.approx(binomial_score(0, 200, 0.2) / 1.5)
    # The sums of each value have moved by no more than the clip, less the slack.
    assert shift.sums == Sums(3.5, 0.0)
    rows = mixed.state.values
    assert (rows["C"].low, rows["C"].high) == (3.5, 0.0)
    assert rows["B"].low == 0.0
    assert rows["B"].high == pytest.approx(binomial_score(80, 200, 0.3) / 1.5 - 1, rel=1e-3)


def test_a_value_that_is_new_stands_out_without_sums() -> None:
    shift = mix(A=1_000.0).assess({"A": 80, "Z": 20}, None)
    assert shift is not None
    assert (shift.value, shift.now, shift.before, shift.sums) == ("Z", 0.2, 0.0, Sums())
    assert shift.score == pytest.approx(binomial_score(20, 100, LEAST) / 1.5)


def test_during_an_incident_only_its_value_is_read_and_no_sum_moves() -> None:
    mixed = mix(A=500.0, B=300.0, C=200.0)
    shift = mixed.assess({"A": 60, "B": 40}, "B")
    assert shift is not None
    assert (shift.value, shift.now) == ("B", 0.4)
    assert shift.score == pytest.approx(binomial_score(40, 100, 0.3) / 1.5)
    assert all((row.low, row.high) == (0.0, 0.0) for row in mixed.state.values.values())


@pytest.mark.parametrize(
    ("before", "hits", "counts"),
    [
        # Half of a floor of two points, or of a quarter of the share before.
        (20.0, 31, True), (20.0, 29, False), (200.0, 226, True), (200.0, 224, False), (200.0, 174, True), (200.0, 176, False),
        # Gone, and ten records were expected; nine were.
        (10.0, 0, True), (9.0, 0, False),
    ],
)  # fmt: skip
def test_a_change_counts_from_half_the_floor_on(before: float, hits: int, counts: bool) -> None:
    mixed = mix(A=before)
    shift = mixed.assess({"A": hits, "B": 1_000 - hits}, "A")
    assert shift is not None
    assert (shift.score != 0.0) is counts
    mixed.assess({"A": hits, "B": 1_000 - hits}, None)
    row = mixed.state.values["A"]
    assert (max(row.low, row.high) > 0.0) is (counts and abs(binomial_score(hits, 1_000, max(before / 1_000, LEAST))) > 1.5)


@pytest.mark.parametrize(
    ("scores", "spread"),
    [
        ((), 1.5),
        ((1.0,) * 60, 1.1),
        ((4.0,) * 60, 2.0 * 1.1),
        ((1.0,) * 50 + (6.0,) * 10, 2.0 * 1.1),
        ((9.0,), 4.5 * 7),
        ((1.0,) * 39 + (90.0,), 1.0 * 1.15),
    ],
)
def test_scores_are_in_units_of_their_spread(scores: tuple[float, ...], spread: float) -> None:
    shift = mix(scores=scores, A=500.0, B=500.0).assess({"A": 100, "B": 300}, "A")
    assert shift is not None
    assert shift.score == pytest.approx(binomial_score(100, 400, 0.5) / spread)


def learned(normal: bool, lasting: bool = False, windows: int = 24) -> MixState:
    mixed = mix(windows, A=168.0, B=168.0)
    mixed.learn({"A": 10, "C": 10}, normal=normal, lasting=lasting)
    return mixed.state


def test_a_normal_window_is_learned() -> None:
    state = learned(True)
    assert state.windows == 25
    assert state.records == pytest.approx(1_000 * 167 / 168 + 20, rel=1e-3)
    assert {name: row.records for name, row in state.values.items()} == {"A": 177.0, "B": 167.0, "C": 10.0}
    assert {name: row.share for name, row in state.values.items()} == {"A": 0.04167, "B": 0.0, "C": 0.04167}
    assert state.scores == [round(abs(binomial_score(10, 20, LEAST)), 2)]


def test_an_anomaly_moves_the_short_memory_and_if_it_is_short_the_spread() -> None:
    state = learned(False)
    assert (state.windows, state.records) == (24, 1_000.0)
    assert {name: (row.records, row.share) for name, row in state.values.items()} == {
        "A": (168.0, 0.04167), "B": (168.0, 0.0), "C": (0.0, 0.04167)
    }  # fmt: skip
    assert len(state.scores) == 1
    assert learned(False, lasting=True).scores == []
    assert learned(True, windows=23).scores == []


def test_a_window_without_records_teaches_nothing_and_one_with_few_no_score() -> None:
    mixed = mix(A=168.0)
    mixed.learn({}, normal=True, lasting=False)
    assert mixed.state == mix(A=168.0).state
    mixed.learn({"A": 9}, normal=True, lasting=False)
    assert (mixed.state.windows, mixed.state.scores) == (25, [])


def test_values_that_are_hardly_there_are_forgotten_and_old_scores_too() -> None:
    mixed = mix(scores=(0.1,) * 168, A=168.0, B=0.0503, C=0.0502)
    mixed.learn({"A": 100}, normal=True, lasting=False)
    assert set(mixed.state.values) == {"A", "B"}
    assert len(mixed.state.scores) == 168
    assert mixed.state.scores[-1] != 0.1


def test_the_mix_of_the_last_windows_becomes_the_normal_one() -> None:
    row: Any = MixValue(records=10.0, low=3.0, high=4.0, share=0.123456)
    mixed = Mix(RHYTHM, Tuning(), MixState(24, 1_000.0, [], {"A": row}))
    mixed.accept()
    assert mixed.state.values["A"] == MixValue(records=123.5, low=0.0, high=0.0, share=0.123456)
