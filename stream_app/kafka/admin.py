"""Create a shop's topics, and ask the broker for topic ids, end offsets and lag."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition, errors
from kafka.admin import KafkaAdminClient, NewTopic

from stream_app.errors import DeliveryError, KafkaUnavailable
from stream_app.failures import passes
from stream_app.kafka.diagnosis import connection_problem, refusal
from stream_app.kafka.options import CONNECT_SECONDS, sync_options
from stream_app.kafka.reading import UnreadableRecordsError, poll
from stream_app.kafka.startup import one_attempt, until_available
from stream_app.names import Topics, anomalies_topic
from stream_app.settings import Settings

#: Seconds that the broker may take to answer a request for end offsets.
TIMEOUT = 10.0
#: Errors of kafka-python's admin; a RuntimeError: it finds no controller.
_ERRORS = (errors.KafkaError, RuntimeError, OSError)


class _Admin(KafkaAdminClient):  # type: ignore[misc]
    """The library's client, which leaves a thread behind where no broker answers it; this one does not."""

    def __init__(self, **options: Any) -> None:
        try:
            super().__init__(**options)
        except BaseException:
            if hasattr(self, "_net"):
                self._closed = False
                self.close()
            raise


@contextmanager
def admin_client(
    settings: Settings, connect_seconds: float = CONNECT_SECONDS, request_seconds: float = 30.0
) -> Iterator[KafkaAdminClient]:
    """Open a client for administration, and close it at the end.

    Raises:
        DeliveryError: no broker answers, or it refuses the user.
        SettingsError: the CA file cannot be used.
    """
    options = sync_options(settings)
    try:
        admin = _Admin(
            **options,
            bootstrap_timeout_ms=int(connect_seconds * 1000),
            request_timeout_ms=int(request_seconds * 1000),
        )
    except errors.KafkaError as error:
        raise connection_problem(settings, error) from None
    try:
        yield admin
    finally:
        admin.close()


def ensure_topics(
    settings: Settings,
    entities: Collection[str],
    seconds: float = CONNECT_SECONDS,
    say: Callable[[str], None] | None = None,
) -> dict[str, str]:
    """Create the raw, clean, dead-letter and pending topic of each entity, and the anomalies topic, if missing.

    Safe to call from several processes at once. An entity's topics get as many partitions as its raw topic has, also when
    they exist and have fewer. Returns what ``topic_ids`` returns.

    Args:
        seconds: while Kafka is unavailable, it is tried again for so long.
        say: gets a line for each failure that is followed by another attempt.

    Raises:
        DeliveryError: no broker answers within ``seconds`` (``KafkaUnavailable``), or it refuses.
    """
    return until_available(lambda: _ensure(settings, entities, seconds), seconds, say)


def _ensure(settings: Settings, entities: Collection[str], seconds: float) -> dict[str, str]:
    with admin_client(settings, one_attempt(seconds)) as admin:
        try:
            return _create(admin, settings, entities)
        except errors.TopicAuthorizationFailedError:
            raise DeliveryError(
                f"{settings.kafka} does not let this user create topics; create them, or grant CREATE on "
                f"{settings.topic_prefix or 'every entity'}*"
            ) from None
        except errors.InvalidReplicationFactorError:
            raise DeliveryError(
                f"{settings.kafka} has fewer brokers than HEADRACE_REPLICATION={settings.replication}; set a smaller number"
            ) from None
        except _ERRORS as error:
            raise refusal(settings, error, "create the topics") from None


def _create(admin: KafkaAdminClient, settings: Settings, entities: Collection[str]) -> dict[str, str]:
    existing = _described(admin)
    missing: list[NewTopic] = []
    every = [Topics(entity, settings.topic_prefix) for entity in entities]
    for topics in every:
        count = existing[topics.raw].partitions if topics.raw in existing else settings.partitions
        missing += [NewTopic(name, count, settings.replication) for name in topics.all if name not in existing]
    if (anomalies := anomalies_topic(settings.topic_prefix)) not in existing:
        missing.append(NewTopic(anomalies, 1, settings.replication))
    for topic in missing:
        try:
            admin.create_topics([topic])
        except errors.TopicAlreadyExistsError:
            continue
    if missing:
        existing = _wait_for(admin, settings, {anomalies, *(name for topics in every for name in topics.all)})
    for topics in every:
        for name in topics.all:
            if existing[name].partitions < existing[topics.raw].partitions:
                _grow(admin, name, existing[topics.raw].partitions)
    return {topics.raw: existing[topics.raw].id for topics in every}


class TopicState(NamedTuple):
    """A topic as the broker describes it: its id (KIP-516; empty where there are none), and its partitions; 0 if missing."""

    id: str
    partitions: int


def _described(admin: KafkaAdminClient, names: Collection[str] | None = None) -> dict[str, TopicState]:
    """Return the state of topics, of all where no ``names`` are given; of one that cannot be described at the moment, none."""
    found = {}
    for topic in admin.describe_topics(None if names is None else list(names)):
        name, code = str(topic["name"]), topic.get("error_code")
        if code == errors.UnknownTopicOrPartitionError.errno:
            found[name] = TopicState("", 0)
        elif not code and topic["partitions"]:
            found[name] = TopicState(str(topic.get("topic_id") or ""), len(topic["partitions"]))
    return found


def _wait_for(admin: KafkaAdminClient, settings: Settings, wanted: set[str]) -> dict[str, TopicState]:
    """Wait until the broker that is asked, maybe another than before, knows the topics; return the state of all topics."""
    deadline = time.monotonic() + CONNECT_SECONDS
    while True:
        existing = _described(admin)
        if wanted <= existing.keys():
            return existing
        if time.monotonic() > deadline:
            raise KafkaUnavailable(
                f"{settings.kafka} has not created the topics within {CONNECT_SECONDS:.0f} s; see the broker's log"
            )
        time.sleep(0.05)


def _grow(admin: KafkaAdminClient, topic: str, count: int) -> None:
    """Give a topic partitions up to ``count``: a record keeps its partition."""
    try:
        admin.create_partitions({topic: count})
    except errors.InvalidPartitionsError:
        return  # another process was first
    except errors.AuthorizationError:
        raise DeliveryError(few_partitions(topic, count, "this user must not", f"grant ALTER on {topic}")) from None
    except errors.UnsupportedVersionError:
        raise DeliveryError(few_partitions(topic, count, "this broker cannot", "delete it: it is created again")) from None


def few_partitions(topic: str, count: int, who: str, otherwise: str) -> str:
    """Return what is wrong with a topic that has fewer partitions than its raw topic, and what to do."""
    return (
        f"topic {topic} has fewer partitions than its raw topic, and {who} add any: give it {count} partitions, or {otherwise}"
    )


def no_topic(topic: str, count: int) -> str:
    """Return what is wrong where a topic does not exist, and what to do."""
    return f"topic {topic} does not exist, and this user must not create it: create it with {count} partitions, or grant CREATE"


class TopicAdmin:
    """A client that stays open to ask for the same topics again and again, and to mend them. For one thread.

    Every method raises KafkaError when no broker answers, or it refuses; the next call connects anew.
    """

    def __init__(self, settings: Settings, seconds: float = 5.0) -> None:
        """``seconds`` that the broker may take to answer."""
        self._settings, self._seconds = settings, seconds
        self._client: KafkaAdminClient | None = None

    def describe(self, names: Collection[str]) -> dict[str, TopicState]:
        """Return the state of each topic; one that the broker cannot describe at the moment is left out."""
        with self._connected() as admin:
            return _described(admin, names)

    def create(self, name: str, partitions: int) -> None:
        """Create a topic, unless it exists.

        Raises:
            DeliveryError: this user must not create it.
        """
        try:
            with self._connected() as admin:
                admin.create_topics([NewTopic(name, partitions, self._settings.replication)])
        except errors.TopicAlreadyExistsError:
            return
        except errors.AuthorizationError:
            raise DeliveryError(no_topic(name, partitions)) from None

    def grow(self, name: str, count: int) -> None:
        """Give a topic partitions up to ``count``.

        Raises:
            DeliveryError: this user must not add any, or the broker cannot.
        """
        with self._connected() as admin:
            _grow(admin, name, count)

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    @contextmanager
    def _connected(self) -> Iterator[KafkaAdminClient]:
        if self._client is None:
            self._client = _Admin(
                **sync_options(self._settings),
                bootstrap_timeout_ms=int(self._seconds * 1000),
                request_timeout_ms=int(self._seconds * 1000),
            )
        try:
            yield self._client
        except (errors.AuthorizationError, errors.TopicAlreadyExistsError):
            raise
        except errors.KafkaError:
            self.close()
            raise


def topic_ids(
    settings: Settings,
    entities: Collection[str],
    seconds: float = CONNECT_SECONDS,
    say: Callable[[str], None] | None = None,
) -> dict[str, str]:
    """Return raw topic → topic id (KIP-516), empty if the broker has no ids. A topic that is re-created gets another id.

    ``seconds`` and ``say`` are those of ``ensure_topics``.

    Raises:
        DeliveryError: no broker answers within ``seconds`` (``KafkaUnavailable``), or it refuses.
    """
    return until_available(lambda: _topic_ids(settings, entities, seconds), seconds, say)


def _topic_ids(settings: Settings, entities: Collection[str], seconds: float) -> dict[str, str]:
    names = [Topics(entity, settings.topic_prefix).raw for entity in entities]
    with admin_client(settings, one_attempt(seconds)) as admin:
        try:
            described = admin.describe_topics(names)
            for topic in described:
                # A missing right stops its entity later; the others work.
                if (code := topic.get("error_code")) and passes(error := errors.for_code(code)()):
                    raise error
        except _ERRORS as error:
            raise refusal(settings, error, "describe the topics") from None
    return {str(topic["name"]): str(topic.get("topic_id") or "") for topic in described}


def end_offsets(consumer: Any, partitions: Iterable[Any]) -> dict[Any, int]:
    """Return the high watermark of each partition: the offset that the next record will get.

    ListOffsets gives a position, and a fetch from there gives the high watermark: the embedded broker answers
    ListOffsets with an offset inside the last batch. The consumer's assignment is replaced.

    Args:
        consumer: a ``kafka.KafkaConsumer`` without a group, with a short ``fetch_max_wait_ms``.
        partitions: ``kafka.TopicPartition``.

    Raises:
        DeliveryError: the broker did not answer in time.
    """
    partitions = list(partitions)
    listed = consumer.end_offsets(partitions)
    consumer.assign(partitions)
    for partition in partitions:
        consumer.seek(partition, listed[partition])
    deadline = time.monotonic() + TIMEOUT
    while (unknown := [one for one in partitions if consumer.highwater(one) is None]) and time.monotonic() < deadline:
        with contextlib.suppress(UnreadableRecordsError):  # its fetch gave the high watermark
            poll(consumer, 100)
    if unknown:
        names = ", ".join(f"{one.topic}[{one.partition}]" for one in unknown)
        raise DeliveryError(f"Kafka did not give the end offset of {names} within {TIMEOUT:.0f} s; see the broker's log")
    return {partition: int(consumer.highwater(partition)) for partition in partitions}


def lag(settings: Settings, entities: Collection[str]) -> int:
    """Return the number of records in the raw topics that the workers' group has not committed yet.

    Only Kafka is asked: it knows the topics as they are now, while Redis may hold the offsets of an earlier run.

    Raises:
        DeliveryError: the broker did not answer in time.
    """
    consumer = KafkaConsumer(**sync_options(settings), fetch_max_wait_ms=50)
    try:
        raw = [Topics(entity, settings.topic_prefix).raw for entity in entities]
        partitions = [TopicPartition(topic, number) for topic in raw for number in consumer.partitions_for_topic(topic) or ()]
        ends, begins = end_offsets(consumer, partitions), consumer.beginning_offsets(partitions)
    finally:
        consumer.close()
    with admin_client(settings) as admin:
        try:
            offsets = admin.list_group_offsets(settings.group)[settings.group]
        except errors.KafkaError:  # a new cluster has no group coordinator until a consumer joins
            offsets = {}
    committed = {partition: row.offset for partition, row in offsets.items()}
    return sum(max(0, ends[one] - max(committed.get(one, 0), begins[one])) for one in partitions)
