"""Exactly once, although the store has lost the list of what a transaction delivers, and the transaction commits late."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import redis

from stream_app.names import Topics
from stream_app.settings import Settings
from tests.support.crew import REFERENCES, changed
from tests.support.recount import assert_exact
from tests.support.stream import (
    Books,
    await_settled,
    await_workers,
    customer,
    make_topics,
    order,
    produce,
    read_topic,
    scripted_worker,
)  # fmt: skip
from tests.support.waiting import eventually

#: A worker that waits for a file before METHOD of a pending topic's transaction.
WAITS_FOR_A_FILE = """
import asyncio
from pathlib import Path

from headrace.cli.main import main
from stream_app.kafka.transactions import Transactions

folder = Path({folder!r})
original = Transactions.{method}


async def late(self, first, *rest):
    if str(first).count(".pending"):
        (folder / "{name}-waits").touch()
        while not (folder / "{name}-goes").exists():
            await asyncio.sleep(0.02)
    return await original(self, first, *rest)


Transactions.{method} = late
import sys
sys.argv = ["headrace", "worker"]
main()
"""


@pytest.mark.timeout(180)
def test_a_late_transaction_whose_list_the_store_has_lost_is_not_repeated(
    kafka: str, settings: Settings, tmp_path: Path
) -> None:
    settings = changed(settings, kafka=kafka, grace=60.0, session_timeout=3.0, exactly_once=True, partitions=1)
    make_topics(settings)
    produce(settings, [*REFERENCES, order(1), order(2, customer_id=77)])
    books = Books(settings)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()

    def script(name: str, method: str) -> str:
        return WAITS_FOR_A_FILE.format(folder=str(tmp_path), method=method, name=name)

    with scripted_worker(settings, tmp_path / "one", script("one", "deliver")) as one:
        await_workers(settings, [one])
        eventually(lambda: books.waiting("orders") == 1, "an order waits")
        produce(settings, [customer(77)])
        eventually((tmp_path / "one-waits").exists, "the first worker is about to deliver it", 30)
        one.signal(signal.SIGSTOP)
        with redis.Redis.from_url(settings.redis.get_secret_value()) as client:
            client.flushdb()
        with scripted_worker(settings, tmp_path / "two", script("two", "producer_of")) as two:
            eventually(
                (tmp_path / "two-waits").exists, "the second worker has restored the store and is about to deliver it", 60
            )
            (tmp_path / "one-goes").touch()
            one.signal(signal.SIGCONT)
            clean = Topics("orders", settings.topic_prefix).clean
            eventually(lambda: len(read_topic(settings, clean)) == 2, "the first worker delivers it after all", 30, 0.2)
            one.kill()
            (tmp_path / "two-goes").touch()
            # A later one waits in the same partition, so that the second worker has finished the first when it is settled.
            produce(settings, [order(3, customer_id=78), customer(78)])
            await_settled(settings, {"orders": 3, "customers": 52, "products": 1}, [two])
    counted = assert_exact(settings)
    assert counted["orders"].repeated == 0, "it was delivered twice"
