"""The worker commits the end of the acknowledged batches that join onto what is committed, and never more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from aiokafka.errors import IllegalStateError, KafkaConnectionError
from faust.types import TP

from stream_app.kafka.batches.consumer import BatchConsumer
from stream_app.kafka.batches.transport import install

RAW = TP("orders", 0)


async def nothing(_: object) -> None:
    """A callback that ignores what happens."""


@pytest.fixture
def consumer() -> Iterator[BatchConsumer]:
    """The worker's consumer, connected to nothing."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    app = faust.App("commits", broker="kafka://127.0.0.1:1", store="memory://", web_enabled=False)
    install(app)
    app.topics.acking_topics.add(RAW.topic)
    app.consumer_generation_id = 1
    made: Any = app.transport.create_consumer(callback=nothing, on_partitions_revoked=nothing, on_partitions_assigned=nothing)
    made.flow_active = True
    made.highwater = lambda tp: 1_000
    made._thread.positions = dict
    yield made
    asyncio.set_event_loop(None)
    for opened in {loop, made._thread.thread_loop}:  # a Faust consumer makes the loop of its thread at once
        opened.close()


def fetch(consumer: Any, *offsets: int) -> Any:
    """The message that a fetch of these offsets makes."""
    batch = [SimpleNamespace(offset=offset, timestamp=1_000, timestamp_type=0) for offset in offsets]

    async def arrived(timeout: float) -> Any:
        return {RAW: batch}, None

    async def only() -> Any:
        (message,) = [message async for _, message in consumer.getmany(1.0)]
        return message

    consumer._wait_next_records = arrived
    return consumer.loop.run_until_complete(only())


@pytest.mark.parametrize("refusal", [AssertionError("Partition is not assigned"), AttributeError("highwater")])
def test_the_end_of_a_partition_that_has_just_been_taken_away_is_not_known(consumer: Any, refusal: Exception) -> None:
    """The client changes its assignment in a thread of its own, between two lines of whoever asks."""

    def refuse(tp: TP) -> int:
        raise refusal

    del consumer.highwater
    consumer._thread.highwater = refuse
    assert consumer.highwater(RAW) is None


def test_a_topic_that_waits_for_another_is_not_in_its_way(consumer: Any) -> None:
    customers, asked = TP("customers", 0), []

    async def getmany(partitions: set[TP], timeout: float) -> dict[TP, list[object]]:
        asked.append(partitions)
        return {}

    def read() -> None:
        consumer.loop.run_until_complete(consumer._getmany({RAW, customers}, 1.0))

    consumer._thread.getmany = getmany
    consumer.transport.deferred = lambda: {"orders"}
    read()
    consumer.transport.deferred = lambda: {"orders", "customers"}
    read()
    consumer.transport.deferred = set
    read()
    assert asked == [{customers}, {RAW, customers}]


def test_a_batch_is_committed_up_to_its_end(consumer: BatchConsumer) -> None:
    batch = fetch(consumer, 0, 1, 2)
    assert consumer._new_offset(RAW) is None
    assert consumer.ack(batch)
    assert consumer._new_offset(RAW) == 3
    assert consumer._new_offset(RAW) is None, "once"


def test_a_batch_that_is_done_before_the_one_ahead_of_it_waits_for_it(consumer: BatchConsumer) -> None:
    first, second = fetch(consumer, 0, 1, 2), fetch(consumer, 3, 4)
    consumer._committed_offset[RAW] = 0
    consumer.ack(second)
    assert consumer._new_offset(RAW) is None
    consumer.ack(first)
    assert consumer._new_offset(RAW) == 5


def test_where_nothing_is_committed_yet_a_batch_waits_for_the_one_ahead_of_it_too(consumer: BatchConsumer) -> None:
    """Records of the pending topic settle in any order: what lies before one that is done may still wait."""
    first, second, third = fetch(consumer, 0, 1, 2), fetch(consumer, 3, 4), fetch(consumer, 5)
    consumer.ack(second)
    assert consumer._new_offset(RAW) is None
    consumer.ack(first)
    assert consumer._new_offset(RAW) == 5
    consumer.ack(third)
    assert consumer._new_offset(RAW) == 6


def test_what_is_acknowledged_while_a_rebalance_goes_on_does_not_hold_the_commit_up_after_it(consumer: Any) -> None:
    waiting = fetch(consumer, 0, 1, 2)
    consumer._forget([RAW])  # revoked; the new generation comes with the assignment
    consumer.ack(waiting)
    consumer.app.consumer_generation_id = 2
    again = fetch(consumer, 0, 1, 2, 3, 4)
    consumer.ack(again)
    assert consumer._new_offset(RAW) == 5


def test_offsets_without_a_record_are_no_lag_once_they_are_read_over(consumer: Any) -> None:
    """The log ends with the marker of a transaction, or its last records were compacted away: the end is 1,000."""
    batch = fetch(consumer, 997, 998)
    consumer._thread.positions = lambda: {RAW: 999}
    fetch(consumer, 997)
    assert (consumer.lag(RAW, 996), consumer.lag(RAW, 998)) == (3, 1), "the client has not got to the end"
    consumer._next[RAW] = batch.offset + 1
    consumer._positions = {RAW: 1_000}
    assert consumer.lag(RAW, 998) == 0
    assert consumer.lag(RAW, 996) == 3, "handed on, not applied"
    consumer.highwater = lambda tp: None
    assert consumer.lag(RAW, 998) == 1, "nothing was fetched yet: it may hold something"


def test_gaps_in_the_log_do_not_hold_the_commit_up(consumer: BatchConsumer) -> None:
    consumer._committed_offset[RAW] = 10
    batches = fetch(consumer, 14, 15, 19), fetch(consumer, 25, 26)
    for batch in batches:
        consumer.ack(batch)
    assert consumer._new_offset(RAW) == 27


def test_a_batch_that_was_fetched_before_a_rebalance_commits_nothing(consumer: Any) -> None:
    stale = fetch(consumer, 0, 1, 2)
    consumer._forget([RAW])
    consumer.app.consumer_generation_id = 2
    assert not consumer.ack(stale)
    assert consumer._new_offset(RAW) is None
    again = fetch(consumer, 0, 1)
    assert consumer.ack(again)
    assert consumer._new_offset(RAW) == 2, "what the stale batch held beyond it is not committed"


def test_what_was_acknowledged_before_a_seek_is_not_taken_for_what_is_read_after_it(consumer: Any) -> None:
    """Another fetch may end at the same offset, and be of the topic that was created again."""

    async def nowhere(*_: object) -> dict[TP, int]:
        return {}

    async def renewed() -> set[str]:
        return {RAW.topic}

    consumer.ack(fetch(consumer, 0, 1, 2))
    consumer.assignment = lambda: {RAW}
    consumer.transport.watched(set, renewed, nowhere, str)
    consumer.seek_to_committed = nowhere
    consumer.earliest_offsets = nowhere
    request = SimpleNamespace(topics=[("orders", [(0, 50)])])
    consumer.transport.alarms.look_at(request, SimpleNamespace(topics=[("orders", [(0, 1, -1)])]))
    consumer.transport.alarms.settle("orders", 1)
    consumer.loop.run_until_complete(consumer.perform_seek())
    assert consumer.transport.alarms.out_of_range() == {}
    fetch(consumer, 0, 1, 2)
    assert consumer._new_offset(RAW) is None


def test_nothing_is_committed_while_partitions_are_sought(consumer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their topics may turn out to be others meanwhile: the offsets of the old ones say nothing of them."""
    seeking, committed = asyncio.Event(), []

    async def prepare() -> set[str]:
        seeking.set()
        await asyncio.sleep(0.01)
        return {RAW.topic}

    async def nowhere(*_: object) -> dict[TP, int]:
        return {}

    async def commit(offsets: dict[TP, int]) -> bool:
        committed.append(dict(offsets))
        return True

    async def run() -> None:
        seek = asyncio.create_task(consumer.perform_seek())
        await seeking.wait()
        assert not await consumer.commit()
        await seek
        assert not await consumer.commit(), "what was acknowledged before is of the old topic"

    consumer.ack(fetch(consumer, *range(30)))
    consumer.assignment = lambda: {RAW}
    consumer.transport.watched(set, prepare, nowhere, str)
    consumer._commit = commit
    consumer.seek_to_committed = nowhere
    consumer.earliest_offsets = nowhere
    consumer.loop.run_until_complete(run())
    assert committed == []
    consumer.ack(fetch(consumer, 0, 1))
    assert consumer.loop.run_until_complete(consumer.commit())
    assert committed == [{RAW: 2}]


def test_a_position_that_the_client_does_not_have_ends_no_worker(consumer: Any) -> None:
    """Faust looks twice a second whether partitions stand still, also while a topic is being created again."""
    consumer.assignment = lambda: {RAW}
    consumer.loop.run_until_complete(consumer.verify_all_partitions_active())


def test_what_is_fetched_after_a_seek_that_failed_is_not_handed_on(consumer: Any) -> None:
    """The records that were dropped before would be committed with it: nobody knows what is committed then."""
    answers: list[Any] = [KafkaConnectionError("no broker"), KafkaConnectionError("no broker"), {RAW: 5}]

    async def committed() -> dict[TP, int]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {RAW: answer[RAW]}

    async def fetched(*offsets: int) -> list[int]:
        async def arrived(timeout: float) -> Any:
            return {RAW: [SimpleNamespace(offset=offset, timestamp=1_000, timestamp_type=0) for offset in offsets]}, None

        consumer._wait_next_records = arrived
        return [message.offset async for _, message in consumer.getmany(1.0)]

    async def nothing_new() -> set[str]:
        return set()

    async def nowhere() -> dict[TP, int]:
        return {}

    async def rejoin() -> None:
        """Do nothing: the group is not there."""

    async def run() -> None:
        with pytest.raises(IllegalStateError):
            await consumer.perform_seek()
        assert await fetched() == [], "the seek fails again"
        assert await fetched() == [], "it succeeds without a record that comes, and the next fetch begins where it should"
        assert answers == []
        assert await fetched(5, 6) == [6]

    consumer.assignment = lambda: {RAW}
    consumer.transport.watched(set, nothing_new, nowhere, str)
    consumer.seek_to_committed = committed
    consumer._thread.rejoin = rejoin
    consumer.loop.run_until_complete(run())
