"""Decompress the data of a log batch, whoever compressed it, and never to more than a limit.

gzip (several members), snappy (as librdkafka writes it, and in the frames of xerial's library, which Java clients use), LZ4
frames (and those of Kafka 0.8, whose header checksum is wrong), and zstd (with the size of its content, as librdkafka writes
it, and without, as Java clients do).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any

import cramjam
import lz4.block
import lz4.frame
import zstandard

from stream_app.kafka.batches.unreadable import UnreadableError

#: Bits 0 to 2 of a batch's attributes.
NAMES = {0: "none", 1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
#: xerial's frames begin so; version and compatible version follow, four bytes each, which some writers get wrong.
_XERIAL = b"\x82SNAPPY\x00"
_XERIAL_HEAD = 16
#: An LZ4 frame of Kafka 0.8: magic number, flags, block descriptor, header checksum.
_OLD_LZ4_HEAD = 7
_CHUNK = 1024 * 1024
_FAILURES = (
    zlib.error, EOFError, RuntimeError, ValueError, struct.error, IndexError, zstandard.ZstdError, cramjam.DecompressionError,
    lz4.block.LZ4BlockError,
)  # fmt: skip


def decompress(codec: int, data: bytes, limit: int, *, old: bool = False) -> bytes:
    """Return the decompressed data.

    Args:
        codec: a key of ``NAMES``, not 0.
        limit: the most bytes to decompress to.
        old: the data is of message format 0, whose LZ4 frames have a wrong checksum.

    Raises:
        UnreadableError: an unknown codec, damaged data, or more than ``limit`` bytes.
    """
    if codec not in _DECODERS:
        raise UnreadableError(f"unknown compression codec {codec}")
    decode = _old_lz4 if old and codec == 3 else _DECODERS[codec]
    try:
        return decode(data, limit)
    except _TooLongError:
        raise UnreadableError(f"decompressed it is longer than {limit} bytes (HEADRACE_MAX_BATCH_BYTES)") from None
    except _FAILURES as error:
        raise UnreadableError(f"its {NAMES[codec]} data cannot be decompressed ({type(error).__name__})") from None


class _TooLongError(Exception):
    """The data is longer than the limit."""


def _gzip(data: bytes, limit: int) -> bytes:
    parts: list[bytes] = []
    length = 0
    while data:
        member = zlib.decompressobj(wbits=31)
        parts.append(member.decompress(data, limit + 1 - length))
        length += len(parts[-1])
        if length > limit:
            raise _TooLongError
        if not member.eof:
            raise EOFError
        data = member.unused_data
    return b"".join(parts)


def _snappy(data: bytes, limit: int) -> bytes:
    if not data.startswith(_XERIAL) or len(data) < _XERIAL_HEAD:
        return _snappy_block(data, limit)
    parts: list[bytes] = []
    at, length = _XERIAL_HEAD, 0
    while at < len(data):
        (size,) = struct.unpack_from(">i", data, at)
        at += 4
        if size < 0 or at + size > len(data):
            raise EOFError
        parts.append(_snappy_block(data[at : at + size], limit - length))
        length += len(parts[-1])
        at += size
    return b"".join(parts)


def _snappy_block(block: bytes, limit: int) -> bytes:
    if cramjam.snappy.decompress_raw_len(block) > limit:
        raise _TooLongError
    return bytes(cramjam.snappy.decompress_raw(block))


def _lz4(data: bytes, limit: int) -> bytes:
    parts: list[bytes] = []
    length = 0
    while data:
        frame: Any = lz4.frame.LZ4FrameDecompressor()
        parts.append(frame.decompress(data, limit + 1 - length))
        length += len(parts[-1])
        if length > limit:
            raise _TooLongError
        if not frame.eof:
            raise EOFError
        data = frame.unused_data or b""
    return b"".join(parts)


def _old_lz4(data: bytes, limit: int) -> bytes:
    """Read the blocks of a frame without its header checksum, which Kafka 0.8 computes over the wrong bytes (KAFKA-3160)."""
    flags = data[4]
    checksums = bool(flags & 0x10)
    parts: list[bytes] = []
    at, length = _OLD_LZ4_HEAD + (8 if flags & 0x08 else 0), 0
    while True:
        (size,) = struct.unpack_from("<I", data, at)
        at += 4
        if not size:
            return b"".join(parts)
        plain, size = bool(size & 0x80000000), size & 0x7FFFFFFF
        block = data[at : at + size]
        if len(block) < size:
            raise EOFError
        parts.append(block if plain else lz4.block.decompress(block, uncompressed_size=min(limit - length + 1, 4 << 20)))
        length += len(parts[-1])
        if length > limit:
            raise _TooLongError
        at += size + (4 if checksums else 0)


def _zstd(data: bytes, limit: int) -> bytes:
    if not data:
        return b""
    size = zstandard.get_frame_parameters(data).content_size
    if size not in (0, zstandard.CONTENTSIZE_UNKNOWN) and size > limit:
        raise _TooLongError
    parts: list[bytes] = []
    length = 0
    with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as reader:
        while part := reader.read(min(_CHUNK, limit + 1 - length)):
            parts.append(part)
            length += len(part)
            if length > limit:
                raise _TooLongError
    return b"".join(parts)


_DECODERS: dict[int, Callable[[bytes, int], bytes]] = {1: _gzip, 2: _snappy, 3: _lz4, 4: _zstd}
