"""A transport that asks the worker: which topics to fetch, from where, and whom to call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from stream_app.kafka.batches.alarms import FetchAlarms


class HookedTransport(driver.Transport):
    """Faust's aiokafka transport, whose consumer asks what to read.

    Attributes:
        deferred: returns the topics not to fetch at the moment.
        refused: is called, in any thread, with a permanent error: the user may not use the group, or read a topic.
        stopped: returns the partitions not to fetch at the moment.
        prepare: called before partitions are sought; returns the topics that were created again, to be read from their start.
        sought: called after it; returns the partitions to be read from another offset than the committed one.
        topic_id: returns the id of a topic, which stands beside its committed offsets.
        alarms: which topics are in doubt, and not handed on.
    """

    deferred: Callable[[], set[str]]
    refused: Callable[[BaseException], None]
    stopped: Callable[[], set[TP]]
    prepare: Callable[[], Awaitable[set[str]]]
    sought: Callable[[], Awaitable[dict[TP, int]]]
    topic_id: Callable[[str], str]
    alarms: FetchAlarms

    def watched(
        self,
        stopped: Callable[[], set[TP]],
        prepare: Callable[[], Awaitable[set[str]]],
        sought: Callable[[], Awaitable[dict[TP, int]]],
        topic_id: Callable[[str], str],
    ) -> None:
        """Set who watches the topics."""
        self.stopped, self.prepare, self.sought, self.topic_id = stopped, prepare, sought, topic_id
