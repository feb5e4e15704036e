"""Header names that are not UTF-8 pass through: they are read, and written as the bytes they came from."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from stream_app.kafka.batches.header_names import BatchBuilder
from stream_app.kafka.batches.log import Records

UTF8, STRANGE = b"xxname", b"\xff\xfename"
READ = STRANGE.decode("utf-8", "surrogateescape")
PLAIN, GZIP = 0, 1


def from_elsewhere(*headers: list[tuple[str, bytes | None]], compression: int = PLAIN) -> bytes:
    """A batch as another client sends it, a record for each of ``headers``; the name ``UTF8`` made strange."""
    batch = DefaultRecordBatchBuilder(2, compression, 0, -1, -1, -1, 1 << 20)
    for number, some in enumerate(headers):
        batch.append(number, 1_000 + number, b"k%d" % number, b"v", some)
    return made_strange(bytes(batch.build())) if compression == PLAIN else bytes(batch.build())


def made_strange(data: bytes) -> bytes:
    changed = bytearray(data.replace(UTF8, STRANGE))
    struct.pack_into(">I", changed, 17, calc_crc32c(bytes(changed[21:])))
    return bytes(changed)


def read(data: bytes) -> list[tuple[int, bytes | None, list[tuple[str, bytes | None]]]]:
    """Offset, key and headers of every record, as the worker reads them."""
    records = Records(data)
    found: list[Any] = []
    while records.has_next():
        batch = records.next_batch()
        assert batch.validate_crc()
        found += [(record.offset, record.key, record.headers) for record in batch]
    return found


def test_a_strange_name_is_read_among_records_that_have_none() -> None:
    before: list[tuple[str, bytes | None]] = [("a", b"1")]
    strange: list[tuple[str, bytes | None]] = [(UTF8.decode(), b"\xff"), ("none", None)]
    data = from_elsewhere(before, strange, before) + from_elsewhere(before)
    assert read(data) == [
        (0, b"k0", before),
        (1, b"k1", [(READ, b"\xff"), ("none", None)]),
        (2, b"k2", before),
        (0, b"k0", before),
    ]


def test_a_batch_without_strange_names_is_read_as_ever() -> None:
    plain: list[tuple[str, bytes | None]] = [("naïve", b"1"), ("naïve", None)]
    assert read(from_elsewhere(plain, plain, compression=GZIP)) == [(0, b"k0", plain), (1, b"k1", plain)]


@pytest.mark.parametrize("compression", [PLAIN, GZIP])
def test_a_strange_name_is_written_as_the_bytes_it_came_from(compression: int) -> None:
    batch = BatchBuilder(1 << 20, compression)
    headers = [(READ, b"1"), ("none", None)]
    assert batch.append(timestamp=5, key=b"k", value=b"v", headers=headers) is not None
    assert batch.append(timestamp=6, key=b"l", value=b"v", headers=[("a", b"")]) is not None
    batch._set_producer_state(7, 0, 0)
    data = bytes(batch._build())
    assert compression == GZIP or STRANGE in data
    assert read(data) == [(0, b"k", headers), (1, b"l", [("a", b"")])]


def test_a_strange_name_ends_the_batch_before_it() -> None:
    batch = BatchBuilder(1 << 20, PLAIN)
    assert batch.append(timestamp=5, key=b"k", value=b"v", headers=[("a", b"1")]) is not None
    assert batch.append(timestamp=5, key=b"k", value=b"v", headers=[(READ, b"1")]) is None
    assert read(bytes(batch._build())) == [(0, b"k", [("a", b"1")])]
