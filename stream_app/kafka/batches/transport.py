"""A Faust transport whose consumer yields lists of records.

Faust's own path takes about 300 µs per record; this one takes that once per batch. Membership, rebalancing, flow control and
commit remain Faust's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import faust
from aiokafka import client
from aiokafka.protocol.metadata import MetadataRequest
from faust.types import TP

from stream_app.kafka.batches import fetch, header_names
from stream_app.kafka.batches.alarms import FetchAlarms
from stream_app.kafka.batches.consumer import BatchConsumer
from stream_app.kafka.batches.hooks import HookedTransport
from stream_app.kafka.batches.log import MAX_BATCH_BYTES
from stream_app.kafka.batches.unreadable import Stopped


class BatchTransport(HookedTransport):
    """Faust's aiokafka transport with the batch consumer."""

    Consumer = BatchConsumer


def _no_id(_topic: str) -> str:
    return ""


def _ignore(_error: BaseException) -> None:
    """Do nothing."""


async def _nothing_new() -> set[str]:
    return set()


async def _nothing_else() -> dict[TP, int]:
    return {}


def install(
    app: faust.App,
    deferred: Callable[[], set[str]] = set,
    refused: Callable[[BaseException], None] = _ignore,
    unreadable: Stopped | None = None,
    max_batch_bytes: int = MAX_BATCH_BYTES,
) -> BatchTransport:
    """Make ``app`` consume batches; ``deferred`` and ``refused`` as in ``HookedTransport``.

    Args:
        unreadable: where partitions are noted that stop at a batch that cannot be read.
        max_batch_bytes: the most bytes that a batch is decompressed to.
    """
    header_names.install()
    fetch.install(unreadable, max_batch_bytes)
    _never_create_topics()
    transport = BatchTransport(app.conf.broker_consumer, app, loop=app.loop)
    transport.deferred, transport.refused, transport.alarms = deferred, refused, FetchAlarms()
    transport.watched(set, _nothing_new, _nothing_else, _no_id)
    app.transport = transport
    return transport


def _never_create_topics() -> None:
    """Make aiokafka's clients ask for topics without creating them.

    They ask for all their topics every few minutes; a broker with ``auto.create.topics.enable`` would give a topic that was
    deleted on purpose back to them, with the broker's number of partitions.
    """
    client.MetadataRequest = partial(MetadataRequest, allow_auto_topic_creation=False)
