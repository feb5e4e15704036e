"""Which broker is in use, and what it promises: asked of Kafka seldom, because it changes seldom."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient  # type: ignore[import-untyped]
from kafka.errors import KafkaError  # type: ignore[import-untyped]

from stream_app.errors import DeliveryError
from stream_app.kafka.options import connection_problem, sync_options
from stream_app.names import Topics
from stream_app.settings import Settings

#: How the embedded broker names its cluster.
EMBEDDED = "headrace-"


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as the broker keeps it: partitions, copies of each, and ms until records go (None: unknown, -1: never)."""

    name: str
    partitions: int
    replicas: int
    kept_ms: int | None


@dataclass(frozen=True, slots=True)
class Broker:
    """The broker in use. ``embedded``: the one that comes with Headrace; ``brokers``: how many there are.

    ``exactly_once``: what ``HEADRACE_EXACTLY_ONCE`` says here; workers have to be told the same.
    """

    embedded: bool
    cluster: str
    brokers: int
    topics: tuple[Topic, ...]
    exactly_once: bool = False

    @property
    def promises(self) -> tuple[tuple[bool, str], ...]:
        """What can be relied on: (whether it holds, the promise)."""
        copies = min((topic.replicas for topic in self.topics), default=1)
        if self.embedded:
            return (
                (True, "Every record gets one verdict, and counts are exact, while the broker runs."),
                (True, "A worker that is killed repeats at most what it had delivered and not counted, with the same source."),
                (False, "Records do not survive the broker: it keeps them in memory, for demos and tests."),
                (False, "Sends that are repeated after a network error may be written twice: this broker has no idempotence."),
            )
        return (
            (True, "Every record gets one verdict, and counts are exact."),
            (
                True,
                "HEADRACE_EXACTLY_ONCE is on: a subscriber that reads committed records sees each one once."
                if self.exactly_once
                else "A worker that is killed repeats at most what it had delivered and not counted, with the same source.",
            ),
            (True, "Sends are idempotent: what is repeated after a network error is written once."),
            (
                copies > 1,
                f"Each record is kept {copies} times, so that a broker may fail."
                if copies > 1
                else "Each record is kept once: with a lost disk it is gone. Set HEADRACE_REPLICATION for new topics.",
            ),
        )


def describe(chosen: Settings, entities: tuple[str, ...]) -> Broker:
    """The broker and the topics of these entities.

    Raises:
        DeliveryError: no broker answers, or it refuses.
    """
    check(chosen)
    try:
        admin = KafkaAdminClient(**sync_options(chosen), bootstrap_timeout_ms=3_000, request_timeout_ms=5_000)
    except KafkaError as error:
        raise connection_problem(chosen, error) from None
    try:
        cluster: dict[str, Any] = admin.describe_cluster()
        wanted = [name for entity in entities for name in Topics(entity, chosen.topic_prefix).all]
        described = [row for row in admin.describe_topics() if row["name"] in wanted and not row.get("error_code")]
        kept = _kept(admin, [str(row["name"]) for row in described])
    except KafkaError as error:
        raise connection_problem(chosen, error) from None
    finally:
        admin.close()
    name = str(cluster.get("cluster_id") or "")
    topics = tuple(
        Topic(
            row["name"],
            len(row["partitions"]),
            min((len(part.get("replica_nodes", part.get("replicas", [0]))) for part in row["partitions"]), default=1),
            kept.get(row["name"]),
        )
        for row in sorted(described, key=lambda row: wanted.index(row["name"]))
    )
    return Broker(name.startswith(EMBEDDED), name, len(cluster.get("brokers", [])), topics, chosen.exactly_once == "on")


def _kept(admin: Any, names: list[str]) -> dict[str, int]:
    """Topic → ``retention.ms``; empty where the broker does not say."""
    try:
        answer = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name, ["retention.ms"]) for name in names])
    except KafkaError:
        return {}
    kept: dict[str, int] = {}
    for name, entries in (answer.get("topic") or {}).items() if isinstance(answer, dict) else ():
        entry = entries.get("retention.ms")
        value = str(entry.get("value") if isinstance(entry, dict) else entry)
        if value.lstrip("-").isdecimal():
            kept[name] = int(value)
    return kept


#: Seconds for one server to answer.
SECONDS = 2.0


def check(settings: Settings) -> None:
    """Return when one of the bootstrap servers takes connections.

    Raises:
        DeliveryError: none does.
    """
    for server in settings.kafka.split(","):
        host, _, port = server.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS).close()
        except OSError:
            continue
        return
    raise DeliveryError(f"no Kafka broker answers at {settings.kafka}: start it, or set HEADRACE_KAFKA to where it is")
