"""A search through topics gives each record once, whatever order their timestamps are in, and goes on where it stopped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import TopicPartition

from stream_app.kafka import older as room
from stream_app.kafka.older import Limits, Portion, Progress, cuts, look
from stream_app.settings import Settings

SETTINGS = Settings(exactly_once=True)


class Log:
    """A consumer of one topic: partition → (offset, timestamp) in order, with gaps where markers are; it fetches batches."""

    def __init__(self, records: dict[int, list[tuple[int, int]]], ends: dict[int, int], batch: int = 3) -> None:
        self.records, self.ends, self.batch = records, ends, batch
        self.partition, self.at = TopicPartition("t", 0), 0
        self.polls = 0

    def partitions_for_topic(self, topic: str) -> set[int]:
        return set(self.records) if topic == "t" else set()

    def beginning_offsets(self, partitions: Sequence[Any]) -> dict[Any, int]:
        return dict.fromkeys(partitions, 0)

    def end_offsets(self, partitions: Sequence[Any]) -> dict[Any, int]:
        return {one: self.ends[one.partition] for one in partitions}

    def offsets_for_times(self, asked: dict[Any, int]) -> dict[Any, Any]:
        def first(one: Any, ms: int) -> Any:
            return next((SimpleNamespace(offset=at) for at, stamp in self.records[one.partition] if stamp >= ms), None)

        return {one: first(one, ms) for one, ms in asked.items()}

    def assign(self, partitions: Sequence[Any]) -> None:
        (self.partition,) = partitions

    def seek(self, partition: Any, offset: int) -> None:
        assert partition == self.partition
        self.at = offset

    def position(self, _: Any) -> int:
        return self.at

    def assignment(self) -> set[Any]:
        return {self.partition}

    def poll(self, *, max_records: int, **_: Any) -> dict[Any, list[Any]]:
        """A batch of offsets; one of markers alone moves the position and gives nothing."""
        self.polls += 1
        number = self.partition.partition
        end = min(self.at // self.batch * self.batch + self.batch, self.ends[number])
        rows = [
            SimpleNamespace(partition=number, offset=offset, timestamp=stamp)
            for offset, stamp in self.records[number]
            if self.at <= offset < end
        ][:max_records]
        self.at = max(end, self.at)
        return {self.partition: rows} if rows else {}


@st.composite
def logs(draw: st.DrawFn) -> Log:
    records, ends = {}, {}
    for number in range(draw(st.integers(1, 3))):
        end = draw(st.integers(0, 40))
        offsets = sorted(draw(st.sets(st.integers(0, max(0, end - 1)), max_size=end))) if end else []
        records[number] = [(offset, draw(st.integers(-1, 100))) for offset in offsets]
        ends[number] = end
    return Log(records, ends, draw(st.integers(1, 7)))


class Seen(list[tuple[int, int, int]]):
    """Takes records: (partition, offset, timestamp)."""

    def __call__(self, rows: Sequence[Any]) -> int:
        self.extend((row.partition, row.offset, row.timestamp) for row in rows)
        return len(rows)

    @property
    def sources(self) -> list[tuple[int, int]]:
        """Partition and offset of each record, sorted."""
        return sorted((partition, offset) for partition, offset, _ in self)


@contextmanager
def opened(log: Any) -> Iterator[Any]:
    @contextmanager
    def reading(*_: Any, committed: bool) -> Iterator[Any]:
        assert committed
        yield log

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "reading", reading)
        patch.setattr(room, "_LEAST", 4)
        patch.setattr(room, "_MOST", 9)
        patch.setattr(room, "_PORTIONS", 3)
        yield log


spans = st.tuples(st.none() | st.integers(0, 100), st.none() | st.integers(0, 100))


@given(logs(), spans)
def test_each_record_comes_once_in_any_order_of_timestamps(log: Log, span: tuple[int | None, int | None]) -> None:
    seen = Seen()
    with opened(log):
        outcome = look(SETTINGS, ["t", "missing"], span, seen)

    assert seen.sources == [(number, offset) for number, rows in log.records.items() for offset, _ in rows]
    assert (outcome.records, outcome.rest, outcome.stopped, outcome.problems) == (len(seen), (), "", ())


@given(logs(), spans, st.integers(1, 10), st.integers(1, 10))
def test_a_search_that_stops_early_goes_on_without_losing_or_repeating_a_record(
    log: Log, span: tuple[int | None, int | None], records: int, found: int
) -> None:
    seen, rest, calls = Seen(), None, 0
    with opened(log):
        while rest is None or rest:
            before = len(seen)
            outcome = look(SETTINGS, ["t"], span, seen, Limits(records, 60.0, found), rest=rest)
            assert outcome.records == outcome.found == len(seen) - before
            # The batch in which the limit is reached is the last one.
            assert outcome.records < records + log.batch
            assert bool(outcome.rest) == bool(outcome.stopped)
            rest, calls = outcome.rest, calls + 1
            assert calls < 200
    assert seen.sources == [(number, offset) for number, rows in log.records.items() for offset, _ in rows]


@given(logs(), st.integers(0, 100), st.integers(0, 100))
def test_what_kafka_dates_in_the_time_is_read_before_anything_else(log: Log, since: int, until: int) -> None:
    """As far as the timestamps are in order."""
    for rows in log.records.values():
        rows[:] = [(offset, stamp) for (offset, _), stamp in zip(rows, sorted(stamp for _, stamp in rows), strict=True)]
    seen = Seen()
    with opened(log):
        look(SETTINGS, ["t"], (since, until), seen)

    inside = [since <= stamp < until for _, _, stamp in seen]
    assert inside == sorted(inside, reverse=True)


def test_the_newest_portion_comes_first_and_a_search_stops_when_it_has_found_enough() -> None:
    log = Log({0: [(offset, offset) for offset in range(40)]}, {0: 40})
    seen = Seen()
    with opened(log):
        outcome = look(SETTINGS, ["t"], (10, 30), seen, Limits(1_000, 60.0, 1))

    assert seen.sources == [(0, 28), (0, 29)]
    assert outcome.stopped == "found"
    assert outcome.likely_left
    assert sum(one.size for one in outcome.rest) == 40 - len(seen)


def test_no_time_left_ends_it_after_one_poll_and_says_so() -> None:
    log = Log({0: [(offset, offset) for offset in range(40)]}, {0: 40})
    with opened(log):
        outcome = look(SETTINGS, ["t"], (None, None), len, Limits(1_000, 0.0, 1_000))

    assert outcome.stopped == "seconds"
    assert log.polls == 1
    assert sum(one.size for one in outcome.rest) + outcome.records == 40


def test_progress_ends_where_all_is_read() -> None:
    log = Log({0: [(offset, offset) for offset in range(40)]}, {0: 41})
    shown: list[Progress] = []
    with opened(log):
        look(SETTINGS, ["t"], (None, None), len, progress=shown.append)

    assert shown[-1] == Progress(41, 41, 40)
    assert shown == sorted(shown)


def test_a_broker_that_gives_no_more_is_named_and_does_not_hold_up_the_other_partitions() -> None:
    class Silent(Log):
        def poll(self, *, max_records: int, **more: Any) -> dict[Any, list[Any]]:
            return {} if self.partition.partition == 0 and self.at >= 3 else super().poll(max_records=max_records, **more)

    records = [(offset, 5) for offset in range(6)]
    log = Silent({0: records, 1: records}, {0: 6, 1: 6})
    seen = Seen()
    with opened(log), pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "_SILENCE", 0.0)
        outcome = look(SETTINGS, ["t"], (None, None), seen)

    assert len([one for one in seen if one[0] == 1]) == 6
    assert len([one for one in seen if one[0] == 0]) < 6
    assert outcome.rest == ()
    assert any("t[0] from offset" in one for one in outcome.problems)


def test_a_topic_of_any_length_has_few_portions() -> None:
    assert len(list(cuts(0, 10**8))) <= 5_000
    assert list(cuts(7, 7)) == []
    assert list(cuts(0, 5_001)) == [(0, 5_000), (5_000, 5_001)]
    assert Portion("t", 0, 3, 9, 1).size == 6
