"""Data of every codec is decompressed, however its writer frames it, and never to more than the limit."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable

import cramjam
import lz4.frame
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_app.kafka.batches.codecs import decompress
from stream_app.kafka.batches.unreadable import UnreadableError
from tests.support.examples import examples

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
LIMIT = 1 << 20


def xerial(data: bytes, order: str = ">") -> bytes:
    """Snappy in the frames of xerial's library, which Java clients use; some writers turn the bytes of the versions round."""
    blocks = [bytes(cramjam.snappy.compress_raw(data[at : at + 32_768])) for at in range(0, len(data), 32_768)]
    return b"\x82SNAPPY\x00" + struct.pack(f"{order}ii", 1, 1) + b"".join(struct.pack(">i", len(one)) + one for one in blocks)


def raw_snappy(data: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(data))


def plain_lz4(data: bytes) -> bytes:
    return bytes(lz4.frame.compress(data, block_linked=False, store_size=False))


def streamed_zstd(data: bytes) -> bytes:
    """Zstd as Java clients write it: without the size of its content."""
    writer = zstandard.ZstdCompressor().compressobj()
    return writer.compress(data) + writer.flush()


WRITERS: dict[str, tuple[int, Callable[[bytes], bytes]]] = {
    "gzip": (GZIP, gzip.compress),
    "gzip in two members": (GZIP, lambda data: gzip.compress(data[:3]) + gzip.compress(data[3:])),
    "snappy": (SNAPPY, raw_snappy),
    "xerial": (SNAPPY, xerial),
    "xerial with versions turned round": (SNAPPY, lambda data: xerial(data, "<")),
    "lz4": (LZ4, lz4.frame.compress),
    "lz4 without its size": (LZ4, plain_lz4),
    "lz4 in two frames": (LZ4, lambda data: plain_lz4(data[:3]) + plain_lz4(data[3:])),
    "zstd": (ZSTD, zstandard.compress),
    "zstd without its size": (ZSTD, streamed_zstd),
    "zstd in two frames": (ZSTD, lambda data: streamed_zstd(data[:3]) + zstandard.compress(data[3:])),
}
writers = pytest.mark.parametrize("writer", WRITERS)


@writers
@settings(max_examples=examples(20), deadline=None)
@given(data=st.binary(max_size=300) | st.integers(0, 200_000).map(lambda size: b"0123456789abcdef" * (size // 16)))
def test_what_was_compressed_comes_back(writer: str, data: bytes) -> None:
    codec, compress = WRITERS[writer]
    assert decompress(codec, compress(data), LIMIT) == data


@writers
def test_nothing_is_decompressed_beyond_the_limit(writer: str) -> None:
    codec, compress = WRITERS[writer]
    data = b"\x00" * 500_000
    assert decompress(codec, compress(data), len(data)) == data
    with pytest.raises(UnreadableError, match="longer than 499999 bytes"):
        decompress(codec, compress(data), len(data) - 1)


@writers
@settings(max_examples=examples(50), deadline=None)
@given(at=st.integers(0, 10_000), byte=st.integers(1, 255), end=st.integers(0, 10_000))
def test_damaged_data_is_refused_with_a_reason_or_stays_within_the_limit(writer: str, at: int, byte: int, end: int) -> None:
    codec, compress = WRITERS[writer]
    damaged = bytearray(compress(bytes(range(256)) * 40))
    damaged[at % len(damaged)] ^= byte
    try:
        assert len(decompress(codec, bytes(damaged[: len(damaged) - end % len(damaged)]), LIMIT)) <= LIMIT
    except UnreadableError as error:
        assert "cannot be decompressed" in str(error) or "longer than" in str(error)  # noqa: PT017 - it need not be raised


def test_an_lz4_frame_of_kafka_0_8_has_a_wrong_checksum_and_is_read() -> None:
    data = b"0123456789" * 20_000
    frame = bytearray(plain_lz4(data))
    frame[6] ^= 0xFF
    with pytest.raises(UnreadableError, match="lz4"):
        decompress(LZ4, bytes(frame), LIMIT)
    assert decompress(LZ4, bytes(frame), LIMIT, old=True) == data


@pytest.mark.parametrize("codec", [5, 6, 7])
def test_an_unknown_codec_is_named(codec: int) -> None:
    with pytest.raises(UnreadableError, match=f"unknown compression codec {codec}"):
        decompress(codec, b"", LIMIT)
