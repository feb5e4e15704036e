"""Brokers and stores that go away, come back, refuse or stay away: nothing is lost, counts are exact, or the worker says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from headrace.embedded import EmbeddedStack
from headrace.embedded.kafka import ApacheKafka
from stream_app.settings import Settings, load_settings
from tests.support.crew import REFERENCES, changed, crew_at_work, orders
from tests.support.recount import assert_exact
from tests.support.redis_servers import RedisServer
from tests.support.stream import Books, Worker, await_settled, make_topics, produce, scripted_worker
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow


def full(client: Any) -> Callable[[], None]:
    """Memory is used up: every write is refused with OOM."""
    client.config_set("maxmemory", "1mb")
    return lambda: client.config_set("maxmemory", "0")


def replica(client: Any) -> Callable[[], None]:
    """It has become a replica that takes no writes: READONLY."""
    client.replicaof("127.0.0.1", "1")
    return lambda: client.replicaof("NO", "ONE")


def unsaved(client: Any) -> Callable[[], None]:
    """It has too few replicas to take a write: NOREPLICAS."""
    client.config_set("min-replicas-to-write", "1")
    return lambda: client.config_set("min-replicas-to-write", "0")


def busy(client: Any) -> Callable[[], None]:
    """Somebody else's script does not end: BUSY."""
    client.config_set("lua-time-limit", "1")
    address = client.get_connection_kwargs()
    other = redis.Redis(host=address["host"], port=address["port"], socket_timeout=0.2, retry=Retry(NoBackoff(), 0))
    with other, pytest.raises(redis.TimeoutError):
        other.eval("while true do end", 0)

    def ended() -> bool:
        with suppress(redis.ResponseError):
            return bool(client.config_set("lua-time-limit", "5000"))  # a script of ours may take longer than one millisecond
        return False

    def end() -> None:
        client.script_kill()
        eventually(ended, "the script has ended")

    return end


@pytest.mark.parametrize("refuse", [full, replica, unsaved, busy])
def test_a_redis_that_refuses_writes_is_asked_again_until_it_takes_them(
    refuse: Callable[[Any], Callable[[], None]], settings: Settings, redis_server: RedisServer, tmp_path: Path
) -> None:
    settings = changed(settings, redis=redis_server.url)
    with crew_at_work(settings, tmp_path, records=REFERENCES) as crew:
        await_settled(settings, {"customers": 50}, crew)
        with redis.Redis.from_url(redis_server.url) as client:
            take_again = refuse(client)
            produce(settings, orders(1, 2_001))
            eventually(lambda: "could not" in crew[0].output(), "the worker says that it is refused")
            take_again()
        await_settled(settings, {"orders": 2_000}, crew)
        assert crew[0].terminate() == 0
    assert_exact(settings)


def test_scripts_that_redis_has_forgotten_are_sent_again(settings: Settings, redis_server: RedisServer, tmp_path: Path) -> None:
    settings = changed(settings, redis=redis_server.url)
    with crew_at_work(settings, tmp_path, records=REFERENCES) as crew:
        produce(settings, orders(1, 501))
        await_settled(settings, {"orders": 500}, crew)
        with redis.Redis.from_url(redis_server.url) as client:
            client.script_flush()
        produce(settings, orders(501, 1_001))
        await_settled(settings, {"orders": 1_000}, crew)
        assert "could not" not in crew[0].output()
    assert_exact(settings)


def test_a_broker_that_is_started_again_with_its_data_costs_nothing(
    own_kafka: ApacheKafka, settings: Settings, tmp_path: Path
) -> None:
    settings = changed(settings, kafka=own_kafka.bootstrap)
    with crew_at_work(settings, tmp_path, 2, REFERENCES) as crew:
        produce(settings, orders(1, 5_001))
        own_kafka.stop()
        eventually(lambda: any("could not" in worker.output() for worker in crew), "a worker notices")
        own_kafka.start()
        produce(settings, orders(5_001, 10_001))
        await_settled(settings, {"orders": 10_000}, crew)
        assert [worker.terminate() for worker in crew] == [0, 0]
    assert_exact(settings)


def test_a_broker_that_stays_away_ends_the_worker_even_when_it_has_nothing_to_do(redis_url: str, tmp_path: Path) -> None:
    with EmbeddedStack(redis=False) as own:
        settings = load_settings(kafka=own.kafka, redis=redis_url, session_timeout=3.0, give_up_after=2.0)
        with crew_at_work(settings, tmp_path, records=REFERENCES) as crew:
            await_settled(settings, {"customers": 50}, crew)
            own.children["kafka"].stop()
            assert ended(crew[0]) == 1
            assert (
                f"no broker answers); start Kafka, or set HEADRACE_KAFKA to its address. Kafka is expected at {own.kafka}"
                in crew[0].output()
            )
            assert "Traceback" not in crew[0].output()


def test_a_broker_that_goes_away_before_the_worker_has_joined_ends_it_too(redis_url: str, tmp_path: Path) -> None:
    with EmbeddedStack(redis=False) as own:
        settings = load_settings(kafka=own.kafka, redis=redis_url, session_timeout=3.0, give_up_after=2.0)
        make_topics(settings)
        worker = Worker(settings, tmp_path / "worker.log")
        try:
            books = Books(settings)
            eventually(lambda: books.client.exists(books.keys.contracts()), "the worker has begun")
            own.children["kafka"].stop()
            assert ended(worker) == 1
            assert f"Kafka is expected at {own.kafka}" in worker.output()
            assert "Traceback" not in worker.output()
        finally:
            worker.kill()


#: A worker whose broker is gone for a moment, just when Faust's consumer reaches for it.
GONE = """
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError
from headrace.cli.main import cli
from stream_app.settings import load_settings

reach = AIOKafkaConsumer.start
tries = []
GROUP = load_settings().group  # not the consumers that read topics, or the epoch of the store

async def start(self):
    if self._group_id != GROUP:
        return await reach(self)
    tries.append(self)
    if len(tries) < TRIES:
        raise KafkaConnectionError("Unable to bootstrap")
    await reach(self)

AIOKafkaConsumer.start = start
cli(["worker"])
"""


def test_a_broker_that_is_away_for_a_moment_as_the_worker_joins_is_waited_for(settings: Settings, tmp_path: Path) -> None:
    make_topics(settings)
    produce(settings, [*REFERENCES, *orders(1, 101)])
    with scripted_worker(settings, tmp_path, GONE.replace("TRIES", "3")) as worker:
        await_settled(settings, {"orders": 100}, [worker])
        assert worker.terminate() == 0
        assert "Traceback" not in worker.output()


def test_a_worker_that_waits_for_a_broker_to_join_at_can_be_stopped(settings: Settings, tmp_path: Path) -> None:
    make_topics(settings)
    with scripted_worker(settings, tmp_path, GONE.replace("TRIES", "1000")) as worker:
        books = Books(settings)
        eventually(lambda: books.client.exists(books.keys.contracts()), "the worker has begun")
        time.sleep(1)
        assert worker.terminate() == 0
        assert "Traceback" not in worker.output()


def ended(worker: Worker) -> int:
    """The exit code of a worker that ends by itself, two seconds after it has noticed."""
    return worker.process.wait(15)
