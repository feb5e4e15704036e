"""As-of moments are read once a batch: a valid header, else a plausible Kafka timestamp, else unknown; never 1970."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.kafka.as_of import as_of_pending, read_as_of
from stream_app.kafka.headers import Header
from stream_app.names import AS_OF
from stream_app.windows.as_of import END_MS, FIRST_KAFKA_MS, UNKNOWN, UNKNOWN_HEADER, is_shown, of_header, to_header

NOW = 1_700_000_000_000
LAST = b"%d" % (END_MS - 1)


def record(*headers: Header, timestamp: int = NOW) -> Any:
    return SimpleNamespace(offset=4, timestamp=timestamp, key=b"k", value=b"v", headers=headers)


@pytest.mark.parametrize(
    ("headers", "moment", "invalid"),
    [
        ([], None, False),
        ([(AS_OF, b"1600000000000")], 1_600_000_000_000, False),
        ([("other", b"1"), (AS_OF, b"1600000000000")], 1_600_000_000_000, False),
        ([(AS_OF, b"soon"), (AS_OF, b"7")], 7, False),
        ([(AS_OF, b"0")], 0, False),
        ([(AS_OF, LAST)], END_MS - 1, False),
        ([(AS_OF, b"soon")], None, True),
        ([(AS_OF, None)], None, True),
        ([(AS_OF, b"")], None, True),
        ([(AS_OF, b"-5")], None, True),
        ([(AS_OF, UNKNOWN_HEADER)], None, True),
        ([(AS_OF, b"%d" % END_MS)], None, True),
        ([("other", b"1"), (AS_OF, b"999999999999999")], None, True),
        ([(AS_OF, b"1" * 16)], None, True),
        ([("other", b"1600000000000")], None, False),
    ],
)
@pytest.mark.parametrize("timestamp", [NOW, -1])
def test_a_record_is_judged_as_of_its_header_or_else_its_timestamp(
    headers: list[Header], moment: int | None, timestamp: int, *, invalid: bool
) -> None:
    one = record(*headers, timestamp=timestamp)
    expected = timestamp if moment is None else moment
    assert read_as_of([one]) == ([expected], [moment is not None], (0,) if invalid else ())
    if not invalid:
        assert as_of_pending(one) == expected


@pytest.mark.parametrize(
    ("timestamp", "moment"),
    [
        (-1, UNKNOWN),
        (0, UNKNOWN),
        (-(2**63), UNKNOWN),
        (1, UNKNOWN),
        # Seconds of today, and of the last day that can be shown; microseconds and nanoseconds of today and of 1980.
        (NOW // 1000, UNKNOWN),
        (END_MS // 1000, UNKNOWN),
        (NOW * 1000, UNKNOWN),
        (NOW * 1_000_000, UNKNOWN),
        (FIRST_KAFKA_MS * 1000, UNKNOWN),
        (2**63 - 1, UNKNOWN),
        (FIRST_KAFKA_MS, FIRST_KAFKA_MS),
        (NOW, NOW),
    ],
)
def test_a_kafka_timestamp_that_is_not_plausible_is_unknown(timestamp: int, moment: int) -> None:
    one = record(timestamp=timestamp)
    assert read_as_of([one]) == ([moment], [False], ())
    assert as_of_pending(one) == moment


def test_a_pending_record_says_that_its_moment_is_unknown_whatever_the_broker_stamps_on_it() -> None:
    assert as_of_pending(record((AS_OF, to_header(UNKNOWN)), timestamp=NOW)) == UNKNOWN


@given(st.integers(-(2**70), 2**70))
def test_every_moment_that_can_be_shown_is_written_and_read(ms: int) -> None:
    assert of_header(to_header(ms)) == (ms if is_shown(ms) else None)


some_header = st.sampled_from([(AS_OF, b"5"), (AS_OF, b"6"), (AS_OF, b"x"), ("other", b"5"), ("other", None)])


@given(st.lists(st.tuples(st.lists(some_header, max_size=3), st.sampled_from([-1, 0, NOW, NOW + 1])), max_size=8))
def test_a_batch_is_read_as_its_records_are_one_by_one(batch: list[tuple[list[Header], int]]) -> None:
    records = [record(*headers, timestamp=timestamp) for headers, timestamp in batch]
    alone = [read_as_of([one]) for one in records]
    found = read_as_of(records)
    assert found.moments == [one.moments[0] for one in alone]
    assert found.dated == [moment in (5, 6) for moment in found.moments]
    assert list(found.invalid) == [index for index, one in enumerate(alone) if one.invalid]
