"""Describe the broker in use: its topics, and the delivery promises that follow from them."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from stream_app.errors import DeliveryError
from stream_app.kafka.admin import admin_client
from stream_app.kafka.diagnosis import connection_problem
from stream_app.names import Topics
from stream_app.settings import Settings

#: The embedded broker's cluster id begins with this.
EMBEDDED = "headrace-"
#: Seconds that one bootstrap server may take to accept a connection.
_SERVER_SECONDS = 2.0
#: The promise that holds without transactions.
KILLED = "A killed worker repeats at most the records that it had delivered but not counted, with the same source."


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. ``replicas``: copies of each partition; ``kept_ms``: retention (``None``: unknown, -1: without end)."""

    name: str
    partitions: int
    replicas: int
    kept_ms: int | None


@dataclass(frozen=True, slots=True)
class Broker:
    """The broker in use.

    Attributes:
        embedded: it is the broker that comes with Headrace.
        brokers: number of brokers in the cluster.
        exactly_once: ``HEADRACE_EXACTLY_ONCE`` of this process; the workers need the same value.
    """

    embedded: bool
    cluster: str
    brokers: int
    topics: tuple[Topic, ...]
    exactly_once: bool = False

    @property
    def promises(self) -> tuple[tuple[bool, str], ...]:
        """Return (true if it holds, the promise) for each delivery promise."""
        copies = min((topic.replicas for topic in self.topics), default=1)
        if self.embedded:
            return (
                (True, "Every record gets one verdict, and counts are exact, while the broker runs."),
                (True, KILLED),
                (False, "Records do not survive the broker: it keeps them in memory, for demos and tests."),
                (False, "A send that is repeated after a network error may be written twice: this broker has no idempotence."),
            )
        return (
            (True, "Every record gets one verdict, and counts are exact."),
            (
                True,
                "HEADRACE_EXACTLY_ONCE is on: a subscriber that reads committed records sees each one once."
                if self.exactly_once
                else KILLED,
            ),
            (True, "Sends are idempotent: a send that is repeated after a network error is written once."),
            (
                copies > 1,
                f"Each record has {copies} copies, so that a broker may fail."
                if copies > 1
                else "Each record has one copy: a lost disk loses it. Set HEADRACE_REPLICATION for new topics.",
            ),
        )


def describe(chosen: Settings, entities: tuple[str, ...]) -> Broker:
    """Return the broker and the topics of these entities.

    Raises:
        DeliveryError: no broker answers, or it refuses.
    """
    check(chosen)
    with admin_client(chosen, connect_seconds=3.0, request_seconds=5.0) as admin:
        try:
            cluster: dict[str, Any] = admin.describe_cluster()
            wanted = [name for entity in entities for name in Topics(entity, chosen.topic_prefix).all]
            described = [row for row in admin.describe_topics() if row["name"] in wanted and not row.get("error_code")]
            retention = _retention(admin, [str(row["name"]) for row in described])
        except KafkaError as error:
            raise connection_problem(chosen, error) from None
    name = str(cluster.get("cluster_id") or "")
    topics = tuple(
        Topic(
            row["name"],
            len(row["partitions"]),
            min((len(part.get("replica_nodes", part.get("replicas", [0]))) for part in row["partitions"]), default=1),
            retention.get(row["name"]),
        )
        for row in sorted(described, key=lambda row: wanted.index(row["name"]))
    )
    return Broker(name.startswith(EMBEDDED), name, len(cluster.get("brokers", [])), topics, chosen.exactly_once)


def _retention(admin: Any, names: list[str]) -> dict[str, int]:
    """Topic → ``retention.ms``; empty if the broker does not give it."""
    try:
        answer = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name, ["retention.ms"]) for name in names])
    except KafkaError:
        return {}
    retention: dict[str, int] = {}
    for name, entries in (answer.get("topic") or {}).items() if isinstance(answer, dict) else ():
        entry = entries.get("retention.ms")
        value = str(entry.get("value") if isinstance(entry, dict) else entry)
        if value.lstrip("-").isdecimal():
            retention[name] = int(value)
    return retention


def check(settings: Settings) -> None:
    """Return as soon as one of the bootstrap servers accepts a connection.

    Raises:
        DeliveryError: none of them does.
    """
    for server in settings.kafka.split(","):
        host, _, port = server.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_SERVER_SECONDS).close()
        except OSError:
            continue
        return
    raise DeliveryError(f"no Kafka broker answers at {settings.kafka}: start it, or set HEADRACE_KAFKA to its address")
