"""Readings become episodes: they open, go on, get worse, creep, are explained, become normal, and close."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stream_app.monitor.episodes import Episodes, Outcome, is_idle, is_open
from stream_app.monitor.reading import Reading
from stream_app.monitor.state import Sums, Track
from stream_app.monitor.tuning import Tuning
from stream_app.windows.grain import Grain

HOUR = 3_600
EPISODES = Episodes("orders", Grain.HOUR, Tuning())
LOW = Reading(
    "volume", observed=10.123456789, expected=100.0, low=70.0, high=130.0, unit="records", severity="warning", score=-6.0,
    threshold=5.0, shift=0.1,
)  # fmt: skip
NORMAL = replace(LOW, observed=100.0, score=0.0, matters=False, almost=False)


def steps(track: Track, *readings: Reading | None, hidden: bool = False) -> list[Outcome]:
    return [EPISODES.step(track, reading, number * HOUR, hidden=hidden) for number, reading in enumerate(readings)]


def kinds(outcomes: list[Outcome]) -> list[str]:
    return [outcome.changes[0].kind if outcome.changes else "" for outcome in outcomes]


def test_an_incident_opens_with_its_first_window() -> None:
    track = Track()
    (outcome,) = steps(track, LOW)
    incident = outcome.changes[0].incident
    expected: dict[str, Any] = {
        "id": "orders.volume.0", "entity": "orders", "metric": "volume", "severity": "warning", "state": "open", "start": 0,
        "end": HOUR, "grain": Grain.HOUR, "windows": 1, "observed": 10.1235, "expected": 100.0, "low": 70.0, "high": 130.0,
        "unit": "records", "direction": "low", "segment": None, "updated": HOUR, "outcome": "",
    }  # fmt: skip
    assert {name: getattr(incident, name) for name in expected} == expected
    assert not outcome.normal
    assert outcome.accepted is None
    assert is_open(track)
    assert not is_idle(track)


@pytest.mark.parametrize(
    ("score", "direction", "said"), [(6.0, None, "high"), (-6.0, None, "low"), (6.0, "changed", "changed")]
)
def test_an_incident_is_high_or_low_unless_the_reading_says(score: float, direction: str | None, said: str) -> None:
    (outcome,) = steps(Track(), replace(LOW, score=score, direction=direction))
    assert outcome.changes[0].incident.direction == said


@pytest.mark.parametrize(
    ("changes", "opens"),
    [
        ({"score": -5.0}, True),
        ({"score": 5.0}, True),
        ({"score": -4.99}, False),
        ({"matters": False}, False),
        ({"threshold": None}, False),
        ({"breach": True, "score": 0.0, "threshold": None}, True),
        ({"breach": False, "score": -9.0}, False),
    ],
)
def test_one_window_is_an_anomaly_from_the_threshold_on_if_it_matters(changes: dict[str, Any], opens: bool) -> None:
    assert kinds(steps(Track(), replace(LOW, **changes))) == ["opened" if opens else ""]


def test_an_incident_ends_with_the_second_normal_window() -> None:
    track = Track()
    outcomes = steps(track, LOW, LOW, NORMAL, NORMAL)
    assert kinds(outcomes) == ["opened", "continued", "", "closed"]
    assert [outcome.normal for outcome in outcomes] == [False, False, False, True]
    incident = outcomes[-1].changes[0].incident
    assert (incident.state, incident.outcome, incident.windows) == ("closed", "recovered", 2)
    assert (incident.end, incident.updated) == (2 * HOUR, 4 * HOUR)
    assert track == Track()
    assert is_idle(track)
    assert not is_open(track)


def test_a_single_normal_window_does_not_end_it() -> None:
    assert kinds(steps(Track(), LOW, NORMAL, LOW, NORMAL, NORMAL)) == ["opened", "", "continued", "", "closed"]


def test_windows_that_say_nothing_neither_end_it_nor_teach_until_it_expires() -> None:
    silent = replace(NORMAL, evidence=False)
    track = Track()
    outcomes = steps(track, LOW, NORMAL, *[None, silent] * 83, None, None)
    assert kinds(outcomes) == ["opened", *[""] * 168, "closed"]
    assert not any(outcome.normal for outcome in outcomes)
    assert outcomes[-1].changes[0].incident.outcome == "recovered"


def test_an_incident_goes_on_at_two_standard_deviations_in_its_direction_and_beyond_half_the_floor() -> None:
    mild = replace(LOW, score=-2.0, matters=False)
    assert kinds(steps(Track(), LOW, mild)) == ["opened", "continued"]
    assert kinds(steps(Track(), LOW, replace(mild, score=-1.99))) == ["opened", ""]
    assert kinds(steps(Track(), LOW, replace(mild, score=2.0))) == ["opened", ""]
    assert kinds(steps(Track(), LOW, replace(mild, almost=False))) == ["opened", ""]
    assert kinds(steps(Track(), replace(LOW, score=6.0), replace(mild, score=2.0))) == ["opened", "continued"]


def test_the_worst_window_is_shown() -> None:
    worse = replace(LOW, score=-9.0, observed=5.0, expected=90.0, low=60.0, high=120.0, segment=("country", "Japan", 0.0, 1.0))
    outcomes = steps(Track(), LOW, worse, replace(LOW, segment=("country", "France", 0.0, 1.0)), replace(worse, segment=None))
    shown = [outcome.changes[0].incident for outcome in outcomes]
    assert [(one.observed, one.expected, one.low, one.high) for one in shown] == [
        (10.1235, 100.0, 70.0, 130.0), *[(5.0, 90.0, 60.0, 120.0)] * 3
    ]  # fmt: skip
    assert [one.segment and one.segment[1] for one in shown] == [None, "Japan", "Japan", "Japan"]
    assert [(one.windows, one.end, one.updated) for one in shown] == [(n, n * HOUR, n * HOUR) for n in (1, 2, 3, 4)]


def test_a_severity_rises_once_and_never_falls() -> None:
    error = replace(LOW, severity="error")
    outcomes = steps(Track(), LOW, error, error, LOW)
    assert kinds(outcomes) == ["opened", "worse", "continued", "continued"]
    assert [outcome.changes[0].incident.severity for outcome in outcomes] == ["warning", "error", "error", "error"]


def test_small_deviations_add_up() -> None:
    small = replace(LOW, score=-3.0, matters=False)
    track = Track()
    outcomes = steps(track, small, small, small)
    assert kinds(outcomes) == ["", "", "opened"]
    # The sums are those before the incident: it keeps its own.
    assert track.sums == Sums(6.0, 0.0)
    assert [outcome.normal for outcome in outcomes] == [True, True, False]


def test_sums_take_no_more_than_the_clip_of_a_window_and_shrink_when_it_is_normal() -> None:
    track = Track()
    high = replace(LOW, score=30.0, matters=False)
    steps(track, high)
    assert track.sums == Sums(0.0, 3.5)
    steps(track, NORMAL)
    assert track.sums == Sums(0.0, 2.5)
    steps(track, replace(NORMAL, evidence=False))
    assert track.sums == Sums(0.0, 2.5)
    steps(track, replace(LOW, score=-2.0, matters=False))
    assert track.sums == Sums(1.0, 0.0)


def test_sums_end_at_twice_the_limit_and_need_a_window_that_is_almost_one() -> None:
    track = Track(Sums(0.0, 11.0))
    assert kinds(steps(track, replace(LOW, score=4.4, matters=False, almost=False))) == [""]
    assert track.sums == Sums(0.0, 10.0)
    track = Track(Sums(0.0, 11.0))
    assert kinds(steps(track, replace(LOW, score=1.9, matters=False))) == [""]
    assert kinds(steps(track, replace(LOW, score=4.4, matters=False))) == ["opened"]
    assert track.sums == Sums(0.0, 12.0)


def test_sums_that_the_metric_keeps_itself_count_instead() -> None:
    track = Track()
    assert kinds(steps(track, replace(LOW, score=-2.0, matters=False, sums=Sums(6.0, 0.0)))) == ["opened"]
    assert kinds(steps(Track(), replace(LOW, score=2.0, matters=False, sums=Sums(6.0, 0.0)))) == [""]


def test_what_another_incident_explains_has_none_until_nothing_explains_it() -> None:
    track = Track()
    assert kinds(steps(track, LOW, LOW, hidden=True)) == ["", ""]
    assert track.episode is not None
    assert track.episode.hidden
    assert track.episode.incident is None
    assert not is_open(track)
    outcome = EPISODES.step(track, replace(LOW, score=-7.0), 2 * HOUR)
    assert outcome.changes[0].kind == "opened"
    assert outcome.changes[0].incident.start == 2 * HOUR
    assert is_open(track)
    assert track.episode is not None
    assert track.episode.worst == 7.0


def test_an_episode_that_was_explained_to_its_end_closes_without_a_word() -> None:
    track = Track()
    assert kinds(steps(track, LOW, NORMAL, NORMAL, hidden=True)) == ["", "", ""]
    assert track == Track()


def test_what_lasts_is_accepted_as_normal_at_the_median_of_its_shifts() -> None:
    readings = [replace(LOW, shift=shift, accept=3) for shift in (0.5, 0.25, 0.3)]
    track = Track()
    outcomes = steps(track, *readings)
    assert kinds(outcomes) == ["opened", "continued", "closed"]
    assert [outcome.accepted for outcome in outcomes] == [None, None, 0.3]
    incident = outcomes[-1].changes[0].incident
    assert (incident.outcome, incident.windows, incident.end) == ("accepted", 3, 3 * HOUR)
    assert track == Track()


@pytest.mark.parametrize(("least", "accepted"), [(None, True), (0.1, True), (0.11, False)])
def test_an_outage_is_not_accepted(least: float | None, accepted: bool) -> None:
    outcomes = steps(Track(), *[replace(LOW, accept=3, least=least)] * 4)
    assert kinds(outcomes)[2] == ("closed" if accepted else "continued")


def test_the_last_24_shifts_are_kept() -> None:
    track = Track()
    steps(track, *[replace(LOW, shift=number / 100) for number in range(30)])
    assert track.episode is not None
    assert track.episode.shifts == [number / 100 for number in range(6, 30)]
    assert track.episode.windows == 30


def test_a_fresh_start_closes_every_incident() -> None:
    tracks = {"volume": Track(), "revenue": Track(), "mix:country": Track()}
    steps(tracks["volume"], LOW)
    steps(tracks["revenue"], LOW, hidden=True)
    changes = EPISODES.close_all(tracks, 5 * HOUR)
    assert [(change.kind, change.incident.metric, change.incident.outcome) for change in changes] == [
        ("closed", "volume", "recovered")
    ]
    assert changes[0].incident.updated == 6 * HOUR
    assert all(track == Track() for track in tracks.values())


@pytest.mark.parametrize(("sums", "idle"), [(Sums(0.049, 0.0), True), (Sums(0.05, 0.0), False), (Sums(0.0, 1.0), False)])
def test_a_track_without_sums_is_idle(sums: Sums, idle: bool) -> None:
    assert is_idle(Track(sums)) is idle
    assert not is_open(Track(sums))
    assert not is_open(None)
