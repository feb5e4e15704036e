"""Heartbeats are read leniently; lag and progress count only the workers that are alive."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stream_app.store.heartbeat import WORKER_GONE_AFTER, Heartbeat, Problem, alive, progress, total_lag
from stream_app.store.states import Freshness

NOW = 1_700_000_000_000
TOTALS = {"orders": Freshness(5, 6), "customers": Freshness()}


def beats(*rows: dict[str, Any]) -> tuple[Heartbeat, ...]:
    return tuple(Heartbeat(**({"at": NOW} | row)) for row in rows)


def test_the_stored_names_stay() -> None:
    stored = json.loads(Heartbeat(at=NOW, id="w", assigned=3).to_json())
    assert set(stored) == {
        "id", "at", "started", "pid", "host", "rate", "lag", "behind", "reached", "held", "partitions", "state",
        "latency_ms", "problems", "notes", "stopped",
    }  # fmt: skip
    assert stored["held"] == 3


def test_a_heartbeat_comes_back_as_it_was_under_the_name_of_its_worker() -> None:
    beat = Heartbeat(
        at=NOW,
        id="w-1",
        started=NOW - 5,
        lag={"orders": 3},
        behind=7,
        reached={"orders": {0: 9}},
        problems=(Problem(text="x"),),
        latency_ms=1.5,
        assigned=2,
    )
    assert alive({b"w-1": beat.to_json()}, NOW) == (beat,)
    assert alive({"w-1": beat.to_json().decode()}, NOW) == (beat,)


def test_an_error_with_text_that_is_not_utf8_is_escaped() -> None:
    text = "\ud800 half a pair"
    beat = Heartbeat(at=NOW, problems=(Problem(text=text),), notes={"store": text})
    (read,) = alive({"w": beat.to_json()}, NOW)
    assert {read.problems[0].text, read.notes["store"]} == {"\\ud800 half a pair"}


def test_a_worker_without_a_readable_heartbeat_is_left_out() -> None:
    rows = {
        "text": "no json",
        "list": "[]",
        "null": "null",
        "empty": "{}",
        "typed": '{"at": "now"}',
        "bytes": b"\xff",
        "ok": '{"at": 1}',
    }
    assert alive(rows, 1) == (Heartbeat(at=1, id="ok", started=1),)


def test_fields_of_another_version_do_not_matter() -> None:
    assert [beat.id for beat in alive({"w": json.dumps({"at": NOW, "more": {"a": 1}})}, NOW)] == ["w"]


def test_a_worker_that_fell_silent_is_gone() -> None:
    gone = int(WORKER_GONE_AFTER * 1000)
    rows = {name: Heartbeat(at=at).to_json() for name, at in (("b", NOW), ("a", NOW - gone + 1), ("gone", NOW - gone))}
    assert [beat.id for beat in alive(rows, NOW)] == ["a", "b"]


def test_lag_adds_up_and_an_entity_that_nobody_reports_is_left_out() -> None:
    assert total_lag(beats({"lag": {"orders": 3}}, {"lag": {"orders": 4, "customers": 0}})) == {"orders": 7, "customers": 0}
    assert total_lag(()) == {}


def test_progress_is_that_of_the_worker_that_is_furthest_behind() -> None:
    found = progress(beats({"at": NOW - 9, "behind": 70}, {"behind": 60, "lag": {"orders": 1}}), TOTALS, closed=False)
    assert (found.event, found.processed) == ({"orders": 5}, {"orders": 6})
    assert (found.reported, found.behind, found.caught_up, found.closed) == (NOW - 9, 60, False, False)


@pytest.mark.parametrize(
    ("rows", "caught_up"),
    [
        ([], False),
        ([{}], True),
        ([{}, {"lag": {"orders": 1}}], False),
        ([{}, {"problems": (Problem(text="ConnectionError"),)}], False),
        ([{"problems": (Problem(subject="orders"), Problem(beside=True))}], False),
        # An outage of the shop is seen although incidents cannot be published.
        ([{"problems": (Problem(subject="monitor", beside=True),)}], True),
    ],
    ids=[
        "no worker",
        "nothing to read",
        "one has something to read",
        "one is retrying",
        "an entity retries",
        "the monitor does",
    ],
)
def test_caught_up_needs_workers_without_lag_and_without_an_error(rows: list[dict[str, Any]], caught_up: bool) -> None:
    assert progress(beats(*rows), TOTALS, closed=True).caught_up is caught_up


@pytest.mark.parametrize(
    ("assigned", "known"),
    [((12,), True), ((6, 6), True), ((6, 0), False), ((12, 6), False), ((0,), False)],
    ids=["one worker", "two workers", "a partition is on its way", "two think they have it", "none is assigned yet"],
)
def test_progress_is_unknown_while_partitions_move(assigned: tuple[int, ...], known: bool) -> None:
    rows = beats(*({"assigned": count, "partitions": 12} for count in assigned))
    assert progress(rows, TOTALS, closed=False).reported == (NOW if known else None)
