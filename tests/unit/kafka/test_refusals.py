"""The forms in which a record that its topic refuses may still be taken: keyed, stamped, cut."""

from __future__ import annotations

import pytest
from aiokafka.errors import InvalidTimestampError, KafkaConnectionError, MessageSizeTooLargeError, UnknownError
from hypothesis import given
from hypothesis import strategies as st

from stream_app.kafka.headers import header_in, original
from stream_app.kafka.outbox import NO_OFFSET, Receipt, Sent
from stream_app.kafka.refusals import Form, InvalidRecord, Row, TopicLimits, cut, is_refusal, may_be_refusal, size_of
from stream_app.names import NULL_KEY, SOURCE, TIMESTAMP, TRUNCATED, TRUNCATED_HEADERS, TRUNCATED_KEY

NOW, DAY = 1_700_000_000_000, 86_400_000
ROW: Row = (None, b"value", NOW - 5 * DAY, [("foreign", b"f"), (SOURCE, b"orders:0:7")])


def test_limits_are_read_from_a_configuration() -> None:
    limits = TopicLimits.of(
        {
            "max.message.bytes": "1000",
            "cleanup.policy": "compact,delete",
            "message.timestamp.type": "CreateTime",
            "message.timestamp.before.max.ms": str(DAY),
            "message.timestamp.after.max.ms": "3600000",
        }
    )
    assert limits == TopicLimits(1000, compacted=True, before_ms=DAY, after_ms=3_600_000)
    assert limits.takes_timestamp(NOW, NOW)
    assert not limits.takes_timestamp(NOW - DAY - 1, NOW)
    assert not limits.takes_timestamp(NOW + 3_600_001, NOW)


def test_a_broker_that_stamps_records_takes_every_timestamp() -> None:
    limits = TopicLimits.of({"message.timestamp.type": "LogAppendTime", "message.timestamp.difference.max.ms": "1"})
    assert limits.takes_timestamp(0, NOW)
    assert TopicLimits.of({}) == TopicLimits()


def test_a_topic_gets_what_it_takes() -> None:
    limits = TopicLimits(300, compacted=True, before_ms=DAY)
    form = Form(ROW).fitted(limits, NOW, may_cut=True)
    assert form == Form(ROW, keyed=True, now=NOW)
    made = form.made()
    assert made == (
        b"orders:0:7", b"value", NOW,
        [("foreign", b"f"), (SOURCE, b"orders:0:7"), (NULL_KEY, b"1"), (TIMESTAMP, b"%d" % (NOW - 5 * DAY))],
    )  # fmt: skip
    assert Form(ROW).fitted(TopicLimits(100), NOW, may_cut=False) is None
    assert Form(ROW).fitted(TopicLimits(), NOW, may_cut=False) == Form(ROW)


def test_what_the_broker_says_leads_to_the_next_form() -> None:
    stamped = Form(ROW).after(InvalidTimestampError(), NOW, may_cut=False)
    assert stamped == Form(ROW, now=NOW)
    assert stamped is not None
    keyed = stamped.after(InvalidTimestampError(), NOW, may_cut=False)  # before Kafka 2.4 it also means: no key
    assert keyed == Form(ROW, now=NOW, keyed=True)
    assert keyed is not None
    assert keyed.after(InvalidRecord(), NOW, may_cut=True) is None
    assert Form(ROW).after(MessageSizeTooLargeError(), NOW, may_cut=False) is None
    assert Form(ROW).after(MessageSizeTooLargeError(), NOW, may_cut=True) == Form(ROW, limit=size_of(ROW) // 2)


def test_only_a_record_is_refused_not_a_connection() -> None:
    assert is_refusal(InvalidRecord())
    assert not is_refusal(KafkaConnectionError())
    assert may_be_refusal(UnknownError())
    assert not may_be_refusal(KafkaConnectionError())


@given(
    st.binary(max_size=3_000),
    st.binary(max_size=3_000),
    st.lists(st.binary(max_size=600), max_size=12),
    st.integers(400, 9_000),
)
def test_what_is_cut_fits_and_says_so(key: bytes, value: bytes, foreign: list[bytes], limit: int) -> None:
    row: Row = (key, value, NOW, [*(("foreign", content) for content in foreign), (SOURCE, b"orders:0:7")])
    made = cut(row, limit)
    assert made is not None
    assert size_of(made) <= max(limit, size_of(row) if size_of(row) <= limit else 0)
    assert header_in(made[3], SOURCE) == b"orders:0:7"
    assert value.startswith(made[1] or b"")
    assert key.startswith(made[0] or b"")
    names = {TRUNCATED: (value, made[1]), TRUNCATED_KEY: (key, made[0])}
    for name, (before, after) in names.items():
        said = header_in(made[3], name)
        assert (said is None) == (before == after)
        assert said is None or int(said) == len(before)
    kept = sum(name == "foreign" for name, _ in made[3])
    assert int(header_in(made[3], TRUNCATED_HEADERS) or 0) == len(foreign) - kept


def test_what_is_cut_twice_keeps_its_first_sizes() -> None:
    row: Row = (b"k", b"v" * 5_000, NOW, [*(("foreign", b"f" * 500),) * 4, (SOURCE, b"orders:0:7")])
    once = cut(row, 3_000)
    assert once is not None
    twice = cut(once, 1_000)
    assert twice is not None
    assert header_in(twice[3], TRUNCATED) == b"5000"
    assert int(header_in(twice[3], TRUNCATED_HEADERS) or 0) == 4 - sum(name == "foreign" for name, _ in twice[3])


def test_a_header_of_the_same_name_that_a_producer_wrote_is_no_size() -> None:
    row: Row = (b"k", b"v" * 5_000, NOW, [(TRUNCATED, b"forged"), (SOURCE, b"orders:0:7")])
    made = cut(row, 1_000)
    assert made is not None
    assert header_in(made[3], TRUNCATED) == b"5000"


def test_nothing_is_cut_to_less_than_its_source() -> None:
    assert cut(ROW, 100) is None


class Delivered:
    offset, timestamp, key, value = 3, NOW, b"orders:0:7", b"value"

    def __init__(self, *headers: tuple[str, bytes | None]) -> None:
        self.headers = headers


def test_a_delivered_record_is_read_as_its_raw_record() -> None:
    plain = Delivered((SOURCE, b"orders:0:7"))
    assert original(plain) is plain
    made = original(Delivered((SOURCE, b"orders:0:7"), (NULL_KEY, b"1"), (TIMESTAMP, b"-1")))
    assert (made.offset, made.timestamp, made.key, made.value) == (3, -1, None, b"value")
    assert list(made.headers) == [(SOURCE, b"orders:0:7")]


@pytest.mark.parametrize("text", [b"", b"x", b"1" * 30, None])
def test_a_timestamp_that_is_none_is_left_out(text: bytes | None) -> None:
    assert original(Delivered((TIMESTAMP, text), (NULL_KEY, b"1"))).timestamp == NOW


def test_a_receipt_has_an_offset_for_each_record() -> None:
    first = Receipt((Sent("t", 0, 5, 2), Sent("t", 0, NO_OFFSET, 1), Sent("t", 0, 9, 1), Sent("u", 0, 3, 1)))
    assert first.offsets("t", 0) == [5, 6, NO_OFFSET, 9]
    assert first.ends() == {("t", 0): 10, ("u", 0): 4}
    assert first.and_then(Receipt((Sent("u", 0, 4, 1),))).ends() == {("t", 0): 10, ("u", 0): 5}
