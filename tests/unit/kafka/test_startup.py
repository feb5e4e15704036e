"""The start waits for Kafka: what passes is tried again with a new client, what is permanent ends it at once."""

from __future__ import annotations

import time
from typing import Any

import pytest
from kafka import errors

from stream_app.errors import DeliveryError, KafkaUnavailable, SettingsError
from stream_app.kafka import admin
from stream_app.kafka.admin import ensure_topics, topic_ids
from stream_app.kafka.diagnosis import refusal
from stream_app.kafka.startup import until_available
from stream_app.names import Topics
from stream_app.settings import load_settings

NOWHERE = "127.0.0.1:1"


class Failing:
    """An action that raises ``error`` some times before it returns "done"."""

    def __init__(self, times: int, error: BaseException) -> None:
        self.times, self.error, self.calls = times, error, 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.times:
            raise self.error
        return "done"


def test_what_passes_is_tried_again_and_each_failure_is_said() -> None:
    said: list[str] = []
    assert until_available(Failing(2, KafkaUnavailable("no broker at a:1")), 30.0, said.append) == "done"
    assert [line.partition(" s,")[0] for line in said] == [
        "no broker at a:1; again in 0.1",
        "no broker at a:1; again in 0.2",
    ]


def test_it_ends_with_the_time_and_says_how_long_it_tried() -> None:
    began, action = time.monotonic(), Failing(100, KafkaUnavailable("no broker at a:1"))
    with pytest.raises(KafkaUnavailable, match=r"^no broker at a:1 \(tried for 1 s\)$"):
        until_available(action, 1.0)
    assert 1.0 <= time.monotonic() - began < 3.0
    assert action.calls > 3


@pytest.mark.parametrize("error", [DeliveryError("refused"), SettingsError("wrong"), KeyboardInterrupt()])
def test_all_else_is_raised_at_once(error: BaseException) -> None:
    action = Failing(1, error)
    with pytest.raises(type(error)):
        until_available(action, 30.0)
    assert action.calls == 1


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (errors.KafkaConnectionError(), True),
        (errors.NotControllerError(), True),
        (RuntimeError("Failed to find active controller id!"), True),
        (errors.ClusterAuthorizationFailedError(), False),
        (errors.PolicyViolationError(), False),
    ],
)
def test_a_failed_request_passes_or_is_permanent_as_the_table_of_failures_says(error: Exception, passes: bool) -> None:
    found = refusal(load_settings(kafka="nowhere:9"), error, "create the topics")
    assert isinstance(found, KafkaUnavailable) == passes
    assert str(found).startswith(f"nowhere:9 does not create the topics ({type(error).__name__}): ")


class Client:
    """A client of a cluster; the first ones have chosen a node that is down."""

    made: int
    dead: int
    error: type[Exception] = errors.KafkaConnectionError
    topics = [name for entity in ("orders",) for name in Topics(entity).all] + ["anomalies"]

    def __init__(self, **_: Any) -> None:
        type(self).made += 1
        self.number = type(self).made

    def describe_topics(self, names: list[str] | None = None) -> list[dict[str, Any]]:
        if self.number <= self.dead:
            raise self.error
        return [{"name": name, "topic_id": f"id-{name}", "partitions": [0]} for name in names or self.topics]

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> type[Client]:
    class Fresh(Client):
        made = 0
        dead = 2

    monkeypatch.setattr(admin, "_Admin", Fresh)
    return Fresh


def test_a_client_that_has_chosen_a_dead_node_is_replaced(cluster: type[Client]) -> None:
    said: list[str] = []
    assert ensure_topics(load_settings(kafka=NOWHERE), ["orders"], 30.0, said.append) == {"orders": "id-orders"}
    assert (cluster.made, len(said)) == (3, 2)
    assert said[0].startswith(f"{NOWHERE} does not create the topics (KafkaConnectionError): no broker answers; start Kafka")
    cluster.made = 0
    assert topic_ids(load_settings(kafka=NOWHERE), ["orders"], 30.0) == {"orders": "id-orders"}
    assert cluster.made == 3


def test_a_node_that_does_not_know_a_topic_yet_is_asked_again(cluster: type[Client]) -> None:
    def stale(client: Client, names: list[str]) -> list[dict[str, Any]]:
        code = errors.UnknownTopicOrPartitionError.errno if client.number == 1 else 0
        return [{"name": name, "error_code": code, "topic_id": "" if code else "id", "partitions": []} for name in names]

    cluster.describe_topics = stale  # type: ignore[assignment, method-assign]
    assert topic_ids(load_settings(kafka=NOWHERE), ["orders"], 30.0) == {"orders": "id"}


def test_a_topic_that_this_user_must_not_describe_does_not_end_the_start(cluster: type[Client]) -> None:
    code = errors.TopicAuthorizationFailedError.errno
    cluster.describe_topics = lambda *_: [{"name": "orders", "error_code": code, "partitions": []}]  # type: ignore[method-assign]
    assert topic_ids(load_settings(kafka=NOWHERE), ["orders"], 30.0) == {"orders": ""}


@pytest.mark.parametrize("error", [errors.InvalidReplicationFactorError, errors.TopicAuthorizationFailedError])
def test_a_permanent_refusal_ends_the_start_at_once(cluster: type[Client], error: type[Exception]) -> None:
    cluster.error = error
    with pytest.raises(DeliveryError) as raised:
        ensure_topics(load_settings(kafka=NOWHERE), ["orders"], 30.0)
    assert not isinstance(raised.value, KafkaUnavailable)
    assert cluster.made == 1
