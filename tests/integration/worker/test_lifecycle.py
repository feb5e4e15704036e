"""Starting, sharing, stopping, and living through the absence of Kafka and Redis."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from aiokafka.errors import KafkaConnectionError

from headrace.embedded import EmbeddedStack
from headrace.embedded.child import free_port
from stream_app.names import Topics
from stream_app.retries import GaveUp
from stream_app.settings import Settings, load_settings
from stream_app.worker.entity import Services
from stream_app.worker.health import Health
from tests.support.crew import REFERENCES, changed, crew_at_work, orders
from tests.support.processes import as_environment
from tests.support.recount import assert_exact
from tests.support.redis_servers import RedisServer
from tests.support.stream import Books, Raw, await_settled, make_topics, produce, workers
from tests.support.waiting import eventually


def test_two_workers_share_the_partitions_and_a_stopped_one_drains(settings: Settings, tmp_path: Path) -> None:
    settings = changed(settings, session_timeout=10.0)  # none of them is taken for dead on a busy machine
    books = Books(settings)
    with crew_at_work(settings, tmp_path, 2, REFERENCES) as crew:

        def shared() -> bool:
            rows = [json.loads(row) for row in books.client.hvals(books.keys.workers())]
            return len(rows) == 2 and all("orders" in row["lag"] for row in rows)

        eventually(shared, "both have partitions of the orders")
        produce(settings, orders(1, 6_001))
        # In the middle of it all, one is asked to stop: it finishes, leaves, and says so with 0.
        began = time.monotonic()
        assert crew[0].terminate(timeout=10) == 0
        assert time.monotonic() - began < 5
        assert len(books.client.hvals(books.keys.workers())) == 1, "its report is gone"
        await_settled(settings, {"orders": 6_000}, crew[1:])
        assert crew[1].terminate() == 0
        assert not any("Traceback" in worker.output() for worker in crew)
    counted = assert_exact(settings)["orders"]
    assert len(counted.dead) == 60
    assert counted.repeated == 0


def test_a_redis_that_is_away_at_the_start_and_in_the_middle_costs_nothing(settings: Settings, tmp_path: Path) -> None:
    own = RedisServer(tmp_path)
    settings = changed(settings, redis=own.url)
    make_topics(settings)
    produce(settings, REFERENCES)
    try:
        with workers(settings, tmp_path) as crew:
            eventually(lambda: "Redis" in crew[0].output() or "could not" in crew[0].output(), "it says what it lacks")
            own.start()
            await_settled(settings, {"customers": 50}, crew)
            produce(settings, orders(1, 3_001))
            own.stop()
            produce(settings, orders(3_001, 5_001))
            eventually(lambda: crew[0].output().count("could not") > 1, "it notices")
            own.start()
            await_settled(settings, {"orders": 5_000}, crew)
            assert crew[0].terminate() == 0
        assert_exact(settings)
    finally:
        own.stop()


def test_a_broker_that_hangs_for_a_while_costs_nothing(redis_url: str, tmp_path: Path) -> None:
    with EmbeddedStack(redis=False) as own:
        settings = load_settings(kafka=own.kafka, redis=redis_url, session_timeout=3.0)
        broker = own.children["kafka"]
        with crew_at_work(settings, tmp_path, records=REFERENCES) as crew:
            produce(settings, orders(1, 5_001))
            os.kill(broker.pid, signal.SIGSTOP)
            time.sleep(2.5)  # as long as it shall hang
            os.kill(broker.pid, signal.SIGCONT)
            produce(settings, orders(5_001, 6_001))
            await_settled(settings, {"orders": 6_000}, crew)
            assert crew[0].terminate() == 0
        assert_exact(settings)


def test_a_redis_that_stays_away_ends_the_worker_which_says_so(settings: Settings, tmp_path: Path) -> None:
    settings = changed(settings, redis=f"redis://127.0.0.1:{free_port()}/0", give_up_after=0.5)
    make_topics(settings)
    with workers(settings, tmp_path) as crew:
        assert crew[0].process.wait(20) == 1
        assert "Redis" in crew[0].output()
        assert "Traceback" not in crew[0].output()


def services_of(settings: Settings, **changes: Any) -> Services:
    return Services(changed(settings, **changes), SimpleNamespace(), SimpleNamespace(), None, Health(), SimpleNamespace())  # type: ignore[arg-type]


def test_what_stays_away_longer_than_the_setting_is_given_up(settings: Settings) -> None:
    services = services_of(settings, give_up_after=0.2)

    async def refused() -> None:
        raise KafkaConnectionError

    with pytest.raises(GaveUp, match=r"orders: could not deliver for .* s \(KafkaConnectionError: no broker answers\)"):
        asyncio.run(services.retry("orders", "deliver", refused))
    error = services.health.error or ""
    assert error.startswith("orders: could not deliver: KafkaConnectionError: no broker answers")


def test_what_comes_back_is_reported_as_recovered(settings: Settings) -> None:
    services = services_of(settings)
    left = 2

    async def action() -> str:
        nonlocal left
        left -= 1
        if left >= 0:
            raise redis.ConnectionError
        return "done"

    assert asyncio.run(services.retry("orders", "deliver", action)) == "done"
    assert services.health.error is None


def test_a_topic_that_is_created_anew_is_judged_from_its_beginning(kafka: str, settings: Settings, tmp_path: Path) -> None:
    from tests.support.brokers import Broker

    settings = changed(settings, kafka=kafka)
    make_topics(settings)
    produce(settings, REFERENCES)
    books = Books(settings)
    raw = Topics("orders", settings.topic_prefix).raw

    def judge(records: list[Raw], total: int, name: str) -> None:
        produce(settings, [replace(record, partition=0) for record in records])
        folder = tmp_path / name
        folder.mkdir()
        with workers(settings, folder) as crew:
            await_settled(settings, {"orders": total}, crew)

    judge(orders(1, 51), 50, "first")
    admin = Broker("kafka", kafka).admin()
    try:
        admin.delete_topics([raw])
        gone: Callable[[], bool] = lambda: raw not in admin.list_topics()  # noqa: E731
        eventually(gone, "the topic is gone")
    finally:
        admin.close()
    make_topics(settings)
    judge(orders(101, 131), 80, "second")
    assert books.total("orders")["in"] == 80
    fields = [name.split("/") for name in books.client.hkeys(books.keys.applied())]
    assert len({topic_id for topic, topic_id, _ in fields if topic == raw}) == 2


# --- several on one machine -------------------------------------------------------------------------------------------


@contextmanager
def two_processes(settings: Settings, log: Path) -> Iterator[tuple[subprocess.Popen[bytes], list[int]]]:
    """``headrace worker --processes 2`` at work: the command, and the process ids of its workers, which end with it."""
    make_topics(settings)
    books = Books(settings)
    command = [sys.executable, "-m", "headrace", "worker", "--processes", "2"]
    with log.open("wb") as output:
        both = subprocess.Popen(command, env=os.environ | as_environment(settings), stdout=output, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: len(books.client.hvals(books.keys.workers())) == 2, "both report")
        pids = [json.loads(row)["pid"] for row in books.client.hvals(books.keys.workers())]
        yield both, pids
    finally:
        both.kill()
        both.wait()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_several_processes_share_the_work_and_stop_together(settings: Settings, tmp_path: Path) -> None:
    with two_processes(settings, tmp_path / "log") as (both, _):
        both.terminate()
        assert both.wait(15) == 0


def test_when_one_of_several_processes_dies_the_others_stop_and_it_is_no_success(settings: Settings, tmp_path: Path) -> None:
    with two_processes(settings, tmp_path / "log") as (both, pids):
        os.kill(pids[0], signal.SIGKILL)
        assert both.wait(15) == 1
