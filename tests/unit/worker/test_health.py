"""Health is kept by task: the success of one does not clear the problem of another."""

from __future__ import annotations

import pytest
from aiokafka.errors import TopicAuthorizationFailedError

from stream_app.worker.health import Health
from stream_app.worker.unreadable import UnreadableTopics


def test_a_task_clears_its_own_problem_only() -> None:
    health = Health()
    health.trouble("lane 0", "orders[0]", "could not deliver")
    health.trouble("monitor", "monitor", "the monitor waits")
    assert health.recovered("lane 0")
    assert not health.recovered("lane 1")
    assert [problem.subject for problem in health.problems()] == ["monitor"]
    assert health.error == "monitor: the monitor waits"
    assert health.recovered("monitor")
    assert health.problems() == ()


def test_a_problem_keeps_its_beginning_while_its_text_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    health = Health()
    monkeypatch.setattr("stream_app.worker.health.time.time", lambda: 100.0)
    health.trouble(1, "orders[0]", "could not deliver: KafkaConnectionError")
    monkeypatch.setattr("stream_app.worker.health.time.time", lambda: 200.0)
    health.trouble(1, "orders[0]", "could not deliver: NotLeaderForPartitionError")
    assert [(one.text[-26:], one.since) for one in health.problems()] == [("NotLeaderForPartitionError", 100_000)]


def test_what_is_stopped_comes_first_and_tasks_that_say_the_same_are_one() -> None:
    health = Health()
    health.trouble(1, "", "could not reach Kafka")
    health.trouble(2, "orders[3]", "no right", stopped=True)
    health.trouble(3, "orders[3]", "no right", stopped=True)
    health.trouble(4, "customers", "may not be read", stopped=True)
    assert [problem.subject for problem in health.problems()] == ["orders[3]", "customers", ""]
    assert health.stopped() == {"orders", "customers"}
    assert health.blocked() == {"orders"}, "the topics of the other entity are asked for again"


def test_notes_are_shown_until_they_end() -> None:
    health = Health()
    health.note("orders", "restoring 37 %")
    assert health.notes() == {"orders": "restoring 37 %"}
    health.note("orders", None)
    health.note("customers", None)
    assert health.notes() == {}


def test_a_topic_that_may_not_be_read_is_left_out_for_a_while_and_forgotten_when_it_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1_000.0
    monkeypatch.setattr("stream_app.worker.unreadable.time.monotonic", lambda: now)
    health = Health()
    topics = UnreadableTopics(health, {"shop.orders": "orders", "shop.orders.pending": "orders"})
    assert topics.refuse(TopicAuthorizationFailedError("shop.orders"))
    assert not topics.refuse(TopicAuthorizationFailedError("another"))
    assert not topics.refuse(RuntimeError("shop.orders"))
    assert not topics.refuse(RuntimeError(1, "names no topic"))
    assert topics.topics() == {"shop.orders"}
    now += 6
    assert topics.topics() == set()
    assert health.stopped() == {"orders"}, "it is not cured yet"
    assert topics.refuse(TopicAuthorizationFailedError({"shop.orders"}))
    assert topics.topics() == {"shop.orders"}
    now += 9
    assert topics.topics() == set()
    assert health.stopped() == set()
