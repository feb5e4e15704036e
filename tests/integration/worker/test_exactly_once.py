"""With HEADRACE_EXACTLY_ONCE=on a read_committed subscriber sees every record once, whatever kills a worker and whenever."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from functools import partial
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from stream_app.kafka import transactions
from stream_app.settings import Settings
from tests.support.crew import bursts, changed, crew_at_work, in_the_background
from tests.support.rebuilt import restored, state
from tests.support.recount import assert_exact
from tests.support.redis_servers import RedisServer
from tests.support.stream import Books, Shopping, Worker, await_settled, make_topics
from tests.support.waiting import eventually, soon

ORDERS = 10_000


@pytest.mark.timeout(180)
def test_killed_and_frozen_workers_deliver_every_record_once(kafka: str, settings: Settings, tmp_path: Path) -> None:
    chance = random.Random(7)
    settings = changed(settings, kafka=kafka, grace=2.0, session_timeout=3.0, exactly_once=True)
    shop = Shopping(seed=7, orders=ORDERS)
    records = [*shop.early, *shop.stream, *shop.late]
    books = Books(settings)
    with crew_at_work(settings, tmp_path, 2) as crew:
        with in_the_background(settings, records, bursts(chance, 6, ORDERS, pauses=40)):
            eventually(lambda: books.total("orders").get("in", 0) > 500, "orders are judged")
            for number, moment in enumerate(("after.send_by", "after.deliver", "before.apply")):
                crew[0].kill()
                assert crew[0].process.returncode == -signal.SIGKILL, crew[0].output()[-2000:]
                crew.append(Worker(settings, tmp_path / f"{number}-{moment}.log", (moment, chance.randrange(1, 6))))
                crew.pop(0)
                soon(lambda: not crew[-1].running, chance.uniform(1, 4))
            # One that is frozen for longer than its session lasts comes back as a zombie, in the middle of something.
            crew[0].signal(signal.SIGSTOP)
            time.sleep(5)
            crew[0].signal(signal.SIGCONT)
        for number, worker in enumerate(crew):
            worker.kill()
            crew[number] = Worker(settings, tmp_path / f"last-{number}.log")
        await_settled(settings, {"orders": ORDERS}, crew, timeout=60)
    counted = assert_exact(settings)
    assert {entity: counts.repeated for entity, counts in counted.items()} == {"orders": 0, "customers": 0, "products": 0}


@pytest.mark.timeout(180)
def test_a_redis_that_is_emptied_in_the_middle_repeats_no_record(
    kafka: str, settings: Settings, redis_server: RedisServer, tmp_path: Path
) -> None:
    settings = changed(settings, kafka=kafka, redis=redis_server.url, grace=2.0, exactly_once=True)
    shop, count = Shopping(seed=11, orders=4_000), 4_000
    records, books = [*shop.early, *shop.stream, *shop.late], Books(settings)

    def judged(orders: int) -> bool:
        return books.total("orders").get("in", 0) > orders

    with crew_at_work(settings, tmp_path, 2) as crew:
        with in_the_background(settings, records, bursts(random.Random(11), 6, count, pauses=40)):
            for moment in (500, 2_000):
                eventually(partial(judged, moment), "orders are judged")
                before = state(settings)
                redis_server.empty()
                eventually(restored(settings, before), "the store is restored", 40)
        await_settled(settings, {"orders": count}, crew)
        assert all(worker.running for worker in crew)
    assert {counts.repeated for counts in assert_exact(settings).values()} == {0}


def test_a_producer_that_never_starts_is_not_waited_for_for_ever(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(_: AIOKafkaProducer) -> None:
        await asyncio.sleep(3_600)

    async def ask() -> None:
        with pytest.raises(TimeoutError):
            await transactions.Transactions(settings).producer_of("orders", 0)

    monkeypatch.setattr(AIOKafkaProducer, "start", hang)
    monkeypatch.setattr(transactions, "_TIMEOUT", 0.2)
    asyncio.run(asyncio.wait_for(ask(), 30))


def test_a_broker_without_transactions_is_refused_at_the_start(settings: Settings, tmp_path: Path) -> None:
    settings = changed(settings, exactly_once=True)
    make_topics(settings)
    worker = Worker(settings, tmp_path / "worker.log")
    assert worker.process.wait(60) == 1
    assert "HEADRACE_EXACTLY_ONCE=on needs a broker with transactions" in worker.output()
    assert "Traceback" not in worker.output()
