"""Message formats 0 and 1, which brokers before Kafka 0.11 wrote, and newer ones still have in old segments.

One message is a batch of its own, or a compressed set of messages in the value of a wrapper message.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple
from zlib import crc32

from stream_app.kafka.batches.codecs import decompress
from stream_app.kafka.batches.unreadable import UnreadableError

#: Offset, length, checksum, magic byte, attributes.
_HEAD = struct.Struct(">qiIbb")
_LENGTH = struct.Struct(">i")
_TIMESTAMP = struct.Struct(">q")
#: The checksum is of the bytes from here on; the length counts those from _AFTER_LENGTH on.
_AFTER_LENGTH, _AFTER_CRC = 12, 16
#: Bytes of the shortest message: no key, no value.
SHORTEST = 26
_CODEC, _LOG_APPEND_TIME = 0x07, 0x08


class Message(NamedTuple):
    """A record; ``timestamp`` is -1 in format 0, which has none."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    checksum: int


class LegacyBatch:
    """A message of format 0 or 1; iteration gives its records."""

    is_control_batch = is_transactional = False
    producer_id = None

    def __init__(self, data: bytes, limit: int) -> None:
        self._data, self._limit = data, limit
        self.base_offset: int = int.from_bytes(data[:8], "big", signed=True)

    @property
    def next_offset(self) -> int:
        """The offset after it; that of a wrapper is its last record's."""
        return self.base_offset + 1

    def validate_crc(self) -> bool:
        """True if the bytes are those that were written."""
        return crc32(self._data[_AFTER_CRC:]) == int.from_bytes(self._data[_AFTER_LENGTH:_AFTER_CRC], "big")

    def __iter__(self) -> Iterator[Message]:
        try:
            return iter(self._messages())
        except (struct.error, IndexError):
            raise UnreadableError("its records do not parse") from None

    def _messages(self) -> list[Message]:
        magic, attributes = self._data[_AFTER_CRC], self._data[_AFTER_CRC + 1]
        outer = _message(self._data)
        codec = attributes & _CODEC
        if not codec:
            return [outer]
        if outer.value is None:
            raise UnreadableError("its records do not parse")
        inner = list(_split(decompress(codec, outer.value, self._limit, old=magic == 0)))
        if not inner:
            raise UnreadableError("its records do not parse")
        # Format 1 counts the offsets within a wrapper from 0; the wrapper has the last one's.
        first = self.base_offset - inner[-1].offset if magic else 0
        found = [message._replace(offset=first + message.offset) for message in inner]
        if outer.timestamp_type:
            found = [message._replace(timestamp=outer.timestamp, timestamp_type=1) for message in found]
        return found


def _split(data: bytes) -> Iterator[Message]:
    at = 0
    while at < len(data):
        end = at + _AFTER_LENGTH + int.from_bytes(data[at + 8 : at + 12], "big", signed=True)
        message = data[at:end]
        if len(message) < SHORTEST or end > len(data) or message[_AFTER_CRC + 1] & _CODEC:
            raise UnreadableError("its records do not parse")
        yield _message(message)
        at = end


def _message(data: bytes) -> Message:
    offset, _, checksum, magic, attributes = _HEAD.unpack_from(data)
    at = _HEAD.size
    timestamp = -1
    if magic == 1:
        (timestamp,) = _TIMESTAMP.unpack_from(data, at)
        at += _TIMESTAMP.size
    key, at = _bytes(data, at)
    value, at = _bytes(data, at)
    if at != len(data):
        raise UnreadableError("its records do not parse")
    return Message(offset, timestamp, int(bool(magic and attributes & _LOG_APPEND_TIME)), key, value, [], checksum)


def _bytes(data: bytes, at: int) -> tuple[bytes | None, int]:
    (length,) = _LENGTH.unpack_from(data, at)
    at += _LENGTH.size
    if length < 0:
        return None, at
    if at + length > len(data):
        raise UnreadableError("its records do not parse")
    return data[at : at + length], at + length
