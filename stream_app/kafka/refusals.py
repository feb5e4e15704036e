"""Records that a topic refuses: what the topic takes, and the other forms in which a record may still be taken."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import aiokafka.errors
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import BrokerResponseError, InvalidTimestampError, KafkaError, MessageSizeTooLargeError, UnknownError

from stream_app.failures import Kind, classify
from stream_app.kafka.headers import Header, header_in
from stream_app.kafka.options import async_options
from stream_app.names import NULL_KEY, SOURCE, TIMESTAMP, TRUNCATED, TRUNCATED_HEADERS, TRUNCATED_KEY
from stream_app.settings import Settings

#: A record to send: key, value, timestamp (ms), headers.
Row = tuple[bytes | None, bytes | None, int, list[Header]]
#: Kafka's default limit is 1,048,588 bytes including overhead. A larger record is cut before it is sent.
LIMIT = 1_035_000
#: Bytes that a key or value keeps at most when it is cut, and that headers keep.
KEPT_OF_OVERSIZED = 100_000
_KEPT_OF_HEADERS = 30_000
#: Bytes of a log batch besides its records, and of a record besides key, value and headers, at most.
_BATCH_OVERHEAD, _RECORD_OVERHEAD = 61, 40
#: Bytes of a log batch of one record that was cut, besides key, value and other headers.
_CUT_OVERHEAD = 200
_TRUNCATIONS = (TRUNCATED_HEADERS, TRUNCATED, TRUNCATED_KEY)
#: Seconds for which the limits of a topic are believed.
_BELIEVED = 60.0
_NAMES = (
    "max.message.bytes", "cleanup.policy", "message.timestamp.type", "message.timestamp.before.max.ms",
    "message.timestamp.after.max.ms", "message.timestamp.difference.max.ms",
)  # fmt: skip


class InvalidRecord(BrokerResponseError):  # type: ignore[misc]
    """The broker's validation refuses a record; aiokafka does not know the code."""

    errno = 87
    message = "INVALID_RECORD"
    description = "The broker's validation refuses a record of the batch"


aiokafka.errors.kafka_errors.setdefault(InvalidRecord.errno, InvalidRecord)
_TOO_LARGE = classify(MessageSizeTooLargeError())


def is_refusal(error: BaseException) -> bool:
    """True if a topic refuses a record of a batch, and took none of it."""
    return classify(error).kind is Kind.RECORD


def may_be_refusal(error: BaseException) -> bool:
    """True if the broker gives no reason that a client knows: one record of the batch may be it, or the broker is ill."""
    return isinstance(error, UnknownError)


@dataclass(frozen=True, slots=True)
class TopicLimits:
    """Limits of a topic on its records.

    Attributes:
        max_bytes: of a log batch; None: unknown.
        compacted: a record needs a key.
        before_ms, after_ms: how far a timestamp may be behind and ahead of the present; None: any.
    """

    max_bytes: int | None = None
    compacted: bool = False
    before_ms: int | None = None
    after_ms: int | None = None

    @classmethod
    def of(cls, config: Mapping[str, str | None]) -> TopicLimits:
        """Read a topic's configuration."""
        stamped = config.get("message.timestamp.type") == "LogAppendTime"
        either = _number(config.get("message.timestamp.difference.max.ms"))  # before Kafka 3.6
        before = _number(config.get("message.timestamp.before.max.ms"))
        after = _number(config.get("message.timestamp.after.max.ms"))
        return cls(
            _number(config.get("max.message.bytes")),
            "compact" in (config.get("cleanup.policy") or ""),
            None if stamped else either if before is None else before,
            None if stamped else either if after is None else after,
        )

    def takes_timestamp(self, timestamp: int, now: int) -> bool:
        """True if the topic takes a record with this timestamp."""
        before, after = self.before_ms, self.after_ms
        return (before is None or timestamp >= now - before) and (after is None or timestamp <= now + after)

    @property
    def room(self) -> int | None:
        """Bytes that the records of one log batch may have, by ``size_of``; None: unknown."""
        return None if self.max_bytes is None else max(0, self.max_bytes - _BATCH_OVERHEAD)


class Limits:
    """Limits of topics, by name: asked for when a topic refuses a record, and believed for a minute."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: dict[str, tuple[TopicLimits, float]] = {}
        #: Topic → until when not to ask again, because the broker did not say.
        self._silent: dict[str, float] = {}

    def known(self, topic: str) -> TopicLimits | None:
        """Return what a topic takes, if it has refused a record within the last minute."""
        found = self._known.get(topic) if self._known else None
        if found is None:
            return None
        if found[1] < time.monotonic():
            del self._known[topic]
            return None
        return found[0]

    async def learn(self, topic: str) -> TopicLimits | None:
        """Ask the broker what a topic takes; None if it does not say, or the user may not ask."""
        if self._silent.get(topic, 0.0) > time.monotonic():
            return None
        limits = await self._ask(topic)
        until = time.monotonic() + _BELIEVED
        if limits is None:
            self._silent[topic] = until
        else:
            self._known[topic] = limits, until
        return limits

    async def _ask(self, topic: str) -> TopicLimits | None:
        admin = AIOKafkaAdminClient(**async_options(self._settings))
        try:
            await admin.start()
            resource = ConfigResource(ConfigResourceType.TOPIC, topic, dict.fromkeys(_NAMES))
            config = _config(await admin.describe_configs([resource]))
        except (KafkaError, OSError, TimeoutError):
            return None
        finally:
            await admin.close()
        return TopicLimits.of(config) if config else None


def _config(answers: list[Any]) -> dict[str, str | None]:
    return {
        entry[0]: entry[1]
        for answer in answers
        for error, _, _, _, entries in answer.resources
        if not error
        for entry in entries
    }


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.lstrip("-").isdecimal() else None


def size_of(row: Row) -> int:
    """Return the bytes of a record in a log batch, at most."""
    key, value, _, headers = row
    return len(key or b"") + len(value or b"") + headers_size(headers) + _RECORD_OVERHEAD


def headers_size(headers: list[Header]) -> int:
    """Return the bytes of headers, about."""
    return sum(len(name) + len(value or b"") + 10 for name, value in headers)


@dataclass(frozen=True, slots=True)
class Form:
    """The form in which a record is sent; each change is made to the record as it was added.

    Attributes:
        row: the record as it was added.
        keyed: it has no key and gets its source as one: compaction keeps it, and it replaces no other record.
        now: it is stamped with this time (ms), and has its timestamp in a header.
        limit: it is cut to this many bytes.
    """

    row: Row
    keyed: bool = False
    now: int | None = None
    limit: int | None = None

    def made(self) -> Row | None:
        """Return the record in this form; None if nothing of it would be left."""
        key, value, timestamp, headers = self.row
        if self.keyed:
            key, headers = header_in(headers, SOURCE) or b"headrace", [*headers, (NULL_KEY, b"1")]
        if self.now is not None:
            timestamp, headers = self.now, [*headers, (TIMESTAMP, b"%d" % timestamp)]
        row = key, value, timestamp, headers
        return row if self.limit is None else cut(row, self.limit)

    def fitted(self, limits: TopicLimits, now: int, *, may_cut: bool) -> Form | None:
        """Return the form that a topic with these limits takes; None if there is none."""
        form = self
        if limits.compacted and self.row[0] is None:
            form = replace(form, keyed=True)
        if not limits.takes_timestamp(self.row[2], now):
            form = replace(form, now=now)
        made, room = form.made(), limits.room
        if made is not None and room is not None and size_of(made) > room:
            return replace(form, limit=room) if may_cut else None
        return form

    def after(self, error: BaseException, now: int, *, may_cut: bool) -> Form | None:
        """Return the next form to try after the broker has refused this one; None if there is none left."""
        if isinstance(error, InvalidTimestampError) and self.now is None:
            return replace(self, now=now)
        if classify(error) == _TOO_LARGE:
            size = size_of(self.row) if self.limit is None else self.limit
            return replace(self, limit=size // 2) if may_cut else None
        if self.row[0] is None and not self.keyed:
            return replace(self, keyed=True)
        return replace(self, now=now) if self.now is None else None


def cut(row: Row, limit: int = LIMIT) -> Row | None:
    """Cut a record to ``limit`` bytes: foreign headers first (Headrace's are the last ones), then the value, then the key.

    None if the headers of Headrace alone take more.
    """
    key, value, timestamp, headers = row
    added: dict[str, bytes] = {}
    while headers and headers[-1][0] in _TRUNCATIONS:  # it was cut before
        added[headers[-1][0]] = headers[-1][1] or b"0"
        headers = headers[:-1]
    first, room = len(headers), min(_KEPT_OF_HEADERS, limit // 2)
    while first and (room := room - headers_size([headers[first - 1]])) >= 0:
        first -= 1
    if first:
        if any(name == SOURCE for name, _ in headers[:first]):
            return None
        added[TRUNCATED_HEADERS] = b"%d" % (first + int(added.get(TRUNCATED_HEADERS, b"0")))
        headers = headers[first:]
    rest = limit - headers_size(headers) - _CUT_OVERHEAD
    if rest < 0:
        return None
    length, other = len(value or b""), len(key or b"")
    if length + other > rest and (kept := min(KEPT_OF_OVERSIZED, max(rest - other, rest // 2))) < length:
        added.setdefault(TRUNCATED, b"%d" % length)
        value = (value or b"")[:kept]
    if len(value or b"") + other > rest:
        added.setdefault(TRUNCATED_KEY, b"%d" % other)
        key = (key or b"")[: min(KEPT_OF_OVERSIZED, rest - len(value or b""))]
    return key, value, timestamp, [*headers, *((name, added[name]) for name in _TRUNCATIONS if name in added)]
