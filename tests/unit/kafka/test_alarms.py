"""Answers to fetches that raise a doubt about a topic."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from stream_app.kafka.batches.alarms import FetchAlarms

OUT_OF_RANGE, UNKNOWN_TOPIC = 1, 3


def fetch(offset: int = 7) -> Any:
    return SimpleNamespace(topics=[("orders", [(0, offset, 1), (1, offset, 1)])])


def answer(error: int = 0, end: int = 10, partition: int = 0) -> Any:
    return SimpleNamespace(API_KEY=1, topics=[("orders", [(partition, error, end, end, [], b"")])])


@pytest.fixture
def alarms() -> FetchAlarms:
    alarms = FetchAlarms()
    alarms.look_at(fetch(), answer(end=10))
    assert alarms.doubted() == set()
    return alarms


@pytest.mark.parametrize("raising", [answer(UNKNOWN_TOPIC, -1), answer(end=9)], ids=["an error", "a shorter log"])
def test_a_failed_fetch_and_a_log_that_ends_earlier_raise_a_doubt(alarms: FetchAlarms, raising: Any) -> None:
    notified = []
    alarms.notify = lambda: notified.append(True)
    alarms.look_at(fetch(), raising)
    assert (alarms.doubted(), notified) == ({"orders"}, [True])


def test_ends_are_compared_by_partition(alarms: FetchAlarms) -> None:
    alarms.look_at(fetch(), answer(end=3, partition=1))
    alarms.look_at(fetch(), answer(end=11))
    assert alarms.doubted() == set()


def test_a_doubt_that_was_raised_after_the_question_stays(alarms: FetchAlarms) -> None:
    alarms.doubt("orders")
    raised = alarms.raised()
    alarms.doubt("orders")
    alarms.settle("orders", raised["orders"])
    assert alarms.doubted() == {"orders"}
    alarms.settle("orders", alarms.raised()["orders"])
    assert alarms.doubted() == set()


def test_the_first_offset_out_of_range_is_kept_until_it_is_explained(alarms: FetchAlarms) -> None:
    alarms.look_at(fetch(7), answer(OUT_OF_RANGE, -1))
    alarms.look_at(fetch(9), answer(OUT_OF_RANGE, -1))
    assert alarms.out_of_range() == {TP("orders", 0): 7}
    alarms.explained(TP("orders", 0), 9)
    assert alarms.out_of_range() == {TP("orders", 0): 7}
    alarms.explained(TP("orders", 0), 7)
    assert alarms.out_of_range() == {}


def test_a_topic_that_was_created_again_begins_anew(alarms: FetchAlarms) -> None:
    alarms.look_at(fetch(7), answer(OUT_OF_RANGE, -1))
    alarms.forget({"orders"})
    alarms.settle("orders", alarms.raised()["orders"])
    alarms.look_at(fetch(0), answer(end=1))
    assert (alarms.out_of_range(), alarms.doubted()) == ({}, set())
