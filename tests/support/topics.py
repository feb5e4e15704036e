"""Topics of a real Kafka that change while workers run, and what the workers say of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from stream_app.names import Topics
from stream_app.settings import Settings
from stream_app.store.queries import open_queries
from stream_app.views.pulse import read_status
from tests.support.crew import changed
from tests.support.stream import Books, Raw, Worker, await_settled, order
from tests.support.waiting import eventually

#: Within seconds, also on a busy machine; the clients ask for topics every five minutes by themselves.
SOON = 20.0


def on_kafka(settings: Settings, kafka: str) -> Settings:
    """A real Kafka, where a worker leaves its group within seconds, and an order does not wait for long."""
    return changed(settings, kafka=kafka, partitions=2, session_timeout=6.0, grace=30.0)


@contextmanager
def administration(settings: Settings) -> Iterator[Any]:
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka)
    yield admin
    admin.close()


def some(begin: int, end: int, **changes: Any) -> list[Raw]:
    """Good orders of one customer."""
    return [order(number, **changes) for number in range(begin, end)]


def delete(admin: Any, *names: str) -> None:
    """Delete topics, and wait until they are gone."""
    admin.delete_topics(list(names))
    eventually(lambda: not {*names} & {*admin.list_topics()}, "the topics are gone")


def create(admin: Any, name: str, partitions: int) -> None:
    """Create a topic as soon as the broker allows it."""

    def created() -> bool:
        try:
            admin.create_topics([NewTopic(name, partitions, 1)])
        except KafkaError:
            return False
        return True

    eventually(created, "the topic is created")


def raw_of(settings: Settings) -> str:
    return Topics("orders", settings.topic_prefix).raw


def counted(settings: Settings, count: int, crew: list[Worker]) -> None:
    """Wait until ``count`` orders have come in and are settled, and no more."""
    await_settled(settings, {"orders": count}, crew, timeout=SOON)
    assert Books(settings).total("orders")["in"] == count


def status(settings: Settings) -> dict[str, Any]:
    return read_status(open_queries(settings))


def said(settings: Settings) -> str:
    """Everything that workers say of the topics of orders."""
    found = [one for worker in open_queries(settings).workers() for one in worker.problems if one.subject == "orders"]
    notes = [text for worker in open_queries(settings).workers() for text in worker.notes.values()]
    return "\n".join([*(one.text for one in found), *notes])


def reported(settings: Settings, pid: int) -> int:
    """Return when a worker has reported last (ms); 0 if it has not."""
    return max((one.at for one in open_queries(settings).workers() if one.pid == pid), default=0)


def stands_still(pid: int) -> bool:
    """True if a process is stopped by a signal."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def reset(settings: Settings, offset: int, partition: int = 0, metadata: str = "") -> None:
    """Set the group's offset of a partition of orders, as ``kafka-consumer-groups --reset-offsets`` does without metadata."""

    def done() -> bool:
        with administration(settings) as admin:
            try:
                admin.alter_group_offsets(
                    settings.group, {TopicPartition(raw_of(settings), partition): OffsetAndMetadata(offset, metadata, -1)}
                )
            except KafkaError:
                return False  # it has a member still
        return True

    eventually(done, "the group has no member any more, and its offset is set")
