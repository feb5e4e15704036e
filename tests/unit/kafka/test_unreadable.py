"""A batch that cannot be read stops its partition, or is handed on with its bytes; every other record comes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from zlib import crc32

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import _LegacyRecordBatchBuilderPy
from aiokafka.record.util import calc_crc32c
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_app.kafka.batches import fetch
from stream_app.kafka.batches.fetch import FetchResult, PartitionRecords
from stream_app.kafka.batches.log import MAX_BATCH_BYTES, Records
from stream_app.kafka.batches.unreadable import Stopped, UnreadableBatch
from tests.support.examples import examples

TP = TopicPartition("t", 0)
NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)
CODECS = pytest.mark.parametrize("codec", [NONE, GZIP, SNAPPY, LZ4, ZSTD])


@pytest.fixture(scope="module", autouse=True)
def as_before() -> Iterator[None]:
    """A reader notes its stops in the class."""
    before = PartitionRecords.stopped
    yield
    PartitionRecords.stopped = before


class Reader:
    """Fetches of one partition, as aiokafka makes them: the log from the position on."""

    active, paused = True, False

    def __init__(self, log: bytes, policy: str = "stop", position: int = 0) -> None:
        self.log, self.position = log, position
        self.stopped = Stopped("skip" if policy == "skip" else "stop", ["t"])

    def state_value(self, tp: object) -> Reader:
        return self

    def consumed_to(self, position: int) -> None:
        self.position = position

    def fetch(self, data: bytes) -> FetchResult:
        fetch.PartitionRecords.stopped = self.stopped
        records = PartitionRecords(TP, Records(data), [], self.position, None, None, True, fetcher.READ_COMMITTED)
        return FetchResult(TP, assignment=self, partition_records=records, backoff=0)

    def read(self, limit: int | None = None) -> list[object]:
        """Everything up to the end, or to where the partition stops."""
        found: list[object] = []
        while (data := self._from_position()) and (taken := self._drain(self.fetch(data), limit)):
            found += taken
        return found

    def _drain(self, result: FetchResult, limit: int | None) -> list[object]:
        found: list[object] = []
        while result.has_more() and (taken := result.getall(limit)):
            found += taken
        return found

    def _from_position(self) -> bytes:
        at = 0
        while at < len(self.log):
            end = at + 12 + int.from_bytes(self.log[at + 8 : at + 12], "big")
            base = int.from_bytes(self.log[at : at + 8], "big")
            last = base + int.from_bytes(self.log[at + 23 : at + 27], "big") if self.log[at + 16] == 2 else base
            if last >= self.position:
                return self.log[at:]
            at = end
        return b""


def batch(base: int, values: list[bytes], codec: int = NONE) -> bytes:
    """A log batch of format 2."""
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, 0, 1 << 24)
    for number, value in enumerate(values):
        builder.append(number, 1_000 + number, b"k", value, [("h", b"1")])
    data = bytearray(builder.build())
    data[:8] = base.to_bytes(8, "big")
    return bytes(data)


def sealed(data: bytearray) -> bytes:
    """The batch with a checksum that fits."""
    struct.pack_into(">I", data, 17, calc_crc32c(bytes(data[21:])))
    return bytes(data)


def damaged(data: bytes, kind: str) -> bytes:
    """The batch, unreadable for this reason; its framing stays."""
    changed = bytearray(data)
    if kind == "checksum":
        changed[-1] ^= 1
    elif kind == "codec":
        changed[22] |= 7
        return sealed(changed)
    elif kind == "format":
        changed[16] = 3
    elif kind == "records":
        changed[57:61] = (int.from_bytes(changed[57:61], "big") + 3).to_bytes(4, "big")
        return sealed(changed)
    return bytes(changed)


REASONS = {
    "checksum": "its checksum does not match", "codec": "unknown compression codec 7", "format": "unknown message format 3",
    "records": "its records do not parse",
}  # fmt: skip


@CODECS
def test_records_of_every_codec_are_read(codec: int) -> None:
    values = [b"%d" % number * 50 for number in range(300)]
    found = Reader(batch(5, values, codec) + batch(305, values[:2], codec), position=7).read()
    assert [record.offset for record in found] == list(range(7, 307))  # type: ignore[attr-defined]
    assert [record.value for record in found] == [*values[2:], *values[:2]]  # type: ignore[attr-defined]
    assert {(record.key, tuple(record.headers)) for record in found} == {(b"k", (("h", b"1"),))}  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", REASONS)
def test_a_partition_stops_before_a_batch_that_cannot_be_read_and_says_which(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    log = batch(0, [b"a", b"b"]) + damaged(batch(2, [b"c", b"d", b"e"]), kind) + batch(5, [b"f"])
    reader = Reader(log)
    assert [record.offset for record in reader.read()] == [0, 1]  # type: ignore[attr-defined]
    assert (reader.position, reader.read()) == (2, [])
    ((found, since),) = reader.stopped.batches
    assert (found.topic, found.partition, found.base, found.last, found.reason) == ("t", 0, 2, 4, REASONS[kind])
    assert since > 0
    (said,) = caplog.messages
    assert f"t[0]: the batch of offsets 2 to 4 cannot be read: {REASONS[kind]}" in said


def test_a_stopped_partition_is_fetched_again_and_goes_on_once_the_batch_can_be_read(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    good = batch(0, [b"a", b"b"])
    reader = Reader(damaged(good, "checksum"))
    result = reader.fetch(reader.log)
    now = 100.0
    monkeypatch.setattr("stream_app.kafka.batches.fetch.time.monotonic", lambda: now)
    assert (result.getall(10), result.has_more()) == ([], True)
    now += 0.9
    assert (result.getall(10), result.has_more()) == ([], True)
    now += 0.2
    assert (result.getall(10), result.has_more()) == ([], False), "it is fetched again"
    assert reader.stopped
    assert len(reader.fetch(good).getall(10)) == 2
    assert not reader.stopped
    assert "goes on" in caplog.messages[-1]


def test_the_waits_between_attempts_grow_and_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    stopped, found = Stopped(), UnreadableBatch("t", 0, 3, 4, "x", b"")
    waits = [stopped.stop(found) for _ in range(10)]
    assert (waits[0], waits[-1], len(caplog.messages)) == (1.0, 60.0, 1)
    assert waits == sorted(waits)
    stopped.forget([("t", 0)])
    assert not stopped


KINDS = st.sampled_from([None, None, *REASONS])


@settings(max_examples=examples(200), deadline=None)
@given(
    plan=st.lists(st.tuples(st.integers(1, 4), KINDS, st.integers(0, 4)), min_size=1, max_size=6),
    gap=st.integers(0, 2),
    limit=st.none() | st.integers(1, 5),
)
def test_with_skip_every_record_comes_and_of_each_unreadable_batch_the_bytes(
    plan: list[tuple[int, str | None, int]], gap: int, limit: int | None
) -> None:
    log, offset, wanted = b"", 0, []
    for number, (size, kind, codec) in enumerate(plan):
        data = batch(offset, [b"v%d" % (offset + one) for one in range(size)], codec)
        if kind is not None:
            # Where the header does not say where a batch ends, the next batch does: a last one would stop the partition.
            data = damaged(data, "checksum" if kind == "format" and number == len(plan) - 1 else kind)
        last = offset + size - 1
        if kind is None:
            wanted += [(one, b"v%d" % one) for one in range(offset, offset + size)]
        else:
            wanted.append((last + (gap if kind == "format" and number < len(plan) - 1 else 0), data))
        log += data
        offset += size + gap
    found = Reader(log, "skip").read(limit)
    came = [(one.offset, one.data if isinstance(one, UnreadableBatch) else one.value) for one in found]  # type: ignore[attr-defined]
    assert came == wanted


@pytest.mark.parametrize("policy", ["stop", "skip"])
def test_a_batch_whose_end_is_unknown_stops_whatever_the_setting(policy: str) -> None:
    reader = Reader(damaged(batch(4, [b"a", b"b"]), "format"), policy, position=4)
    assert reader.read() == []
    ((found, _),) = reader.stopped.batches
    assert (found.base, found.last) == (4, None)
    cut = Reader(batch(4, [b"a" * 100])[:-7], policy, position=4)
    assert cut.fetch(cut.log).getall(10) == []
    ((found, _),) = cut.stopped.batches
    assert "cut off" in found.reason


def test_a_damaged_count_of_offsets_does_not_take_later_records_along() -> None:
    """The checksum says that the header is not to be trusted; nothing tells where the batch ends."""
    data = bytearray(batch(0, [b"a", b"b"]))
    data[23:27] = (9).to_bytes(4, "big")
    assert Reader(bytes(data), "skip").read() == []
    after = Reader(bytes(data) + batch(2, [b"c"]), "skip").read()
    assert [record.offset for record in after] == [1, 2]  # type: ignore[attr-defined]


def test_a_batch_that_grows_beyond_the_limit_is_not_decompressed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Records, "limit", 100_000)
    reader = Reader(batch(0, [b"\x00" * 200_000], ZSTD))
    assert reader.read() == []
    ((found, _),) = reader.stopped.batches
    assert "longer than 100000 bytes (HEADRACE_MAX_BATCH_BYTES)" in found.reason
    assert MAX_BATCH_BYTES > 1 << 20


@settings(max_examples=examples(200), deadline=None)
@given(data=st.data(), garbage=st.binary(max_size=200))
def test_no_bytes_raise(data: st.DataObject, garbage: bytes) -> None:
    log = bytearray(batch(0, [b"a"], ZSTD) + batch(1, [b"b", b"c"], SNAPPY))
    for _ in range(data.draw(st.integers(0, 4))):
        log[data.draw(st.integers(0, len(log) - 1))] ^= data.draw(st.integers(1, 255))
    for some in (bytes(log), bytes(log[: data.draw(st.integers(0, len(log)))]) + garbage, garbage):
        for policy in ("stop", "skip"):
            reader = Reader(some, policy)
            result = reader.fetch(some)
            while result.has_more() and result.getall(10):
                pass


# --- message formats 0 and 1 ---------------------------------------------------------------------------------------------


def legacy(magic: int, codec: int, base: int, values: list[bytes]) -> bytes:
    """A message set as brokers before 0.11 stored it: absolute offsets in format 0; the wrapper has the last one's."""
    builder = _LegacyRecordBatchBuilderPy(magic, codec, 1 << 20)
    for number, value in enumerate(values):
        builder.append(number if magic else base + number, 5_000 + number, b"k", value)
    data = bytearray(builder.build())
    if codec:
        data[:8] = (base + len(values) - 1).to_bytes(8, "big")
        return bytes(data)
    at = 0
    for number in range(len(values)):
        data[at : at + 8] = (base + number).to_bytes(8, "big")
        at += 12 + int.from_bytes(data[at + 8 : at + 12], "big")
    return bytes(data)


@pytest.mark.parametrize(("magic", "codec"), [(0, NONE), (0, GZIP), (0, SNAPPY), (1, NONE), (1, GZIP), (1, SNAPPY), (1, LZ4)])
def test_records_of_the_old_formats_are_read(magic: int, codec: int) -> None:
    values = [b"a", b"b", b"c" * 900]
    found = Reader(legacy(magic, codec, 10, values) + batch(13, [b"d"]), position=11).read()
    assert [(one.offset, one.value, one.key) for one in found] == [  # type: ignore[attr-defined]
        (11, b"b", b"k"), (12, b"c" * 900, b"k"), (13, b"d", b"k"),
    ]  # fmt: skip
    assert [one.timestamp for one in found][:2] == ([5_001, 5_002] if magic else [-1, -1])  # type: ignore[attr-defined]
    assert [list(one.headers) for one in found][:2] == [[], []]  # type: ignore[attr-defined]


@pytest.mark.parametrize("magic", [0, 1])
def test_an_old_message_that_cannot_be_read_is_handed_on(magic: int) -> None:
    bad = bytearray(legacy(magic, GZIP, 2, [b"c", b"d"]))
    bad[-1] ^= 1
    log = legacy(magic, NONE, 0, [b"a", b"b"]) + bytes(bad) + legacy(magic, NONE, 4, [b"e"])
    *before, found, after = Reader(log, "skip").read()
    assert [one.offset for one in before] == [0, 1]  # type: ignore[attr-defined]
    assert isinstance(found, UnreadableBatch)
    assert (found.base, found.last, found.data, found.reason) == (2, 3, bytes(bad), REASONS["checksum"])
    assert after.offset == 4  # type: ignore[attr-defined]
    resealed = bytearray(bad)
    resealed[17] |= 7
    struct.pack_into(">I", resealed, 12, crc32(bytes(resealed[16:])))
    (stopped,) = Reader(bytes(resealed), "skip", position=2).read()
    assert isinstance(stopped, UnreadableBatch)
    assert stopped.reason == "unknown compression codec 7"
