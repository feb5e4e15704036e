"""A worker that starts while Kafka, or one of its brokers, is away waits for it as long as a running one would."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.cli.worker import command
from headrace.embedded.broker import EmbeddedBroker
from headrace.embedded.child import free_port
from headrace.embedded.cluster import KafkaCluster
from stream_app.settings import Settings
from tests.support.crew import REFERENCES, changed
from tests.support.paths import CACHE
from tests.support.processes import as_environment, run_headrace
from tests.support.proxy import Proxy, proxies
from tests.support.services import skip_without_kafka
from tests.support.stream import await_settled, await_workers, make_topics, produce, workers
from tests.support.waiting import eventually

#: In a process of its own: the library leaves the sockets of refused connections to the garbage collector.
WITHOUT_A_BROKER = """
import contextlib, threading
from kafka.errors import KafkaError
from stream_app.errors import KafkaUnavailable
from stream_app.kafka.admin import TopicAdmin, ensure_topics
from stream_app.settings import load_settings

settings = load_settings(kafka="127.0.0.1:1")
with contextlib.suppress(KafkaUnavailable):
    ensure_topics(settings, ["orders"], 0.0)
watch = TopicAdmin(settings, 0.2)
with contextlib.suppress(KafkaError):
    watch.describe(["orders"])
print(threading.active_count())
"""


@pytest.fixture
def nowhere(settings: Settings) -> Settings:
    """Settings that name a broker that is not there."""
    return changed(settings, kafka=f"127.0.0.1:{free_port()}")


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[tuple[EmbeddedBroker, Proxy]]:
    """A broker that sends its clients to a proxy."""
    with proxies() as net:
        proxy = net.open()
        broker = EmbeddedBroker(tmp_path, advertised=proxy.port)
        proxy.aim(broker.port)
        try:
            broker.wait()
            yield broker, proxy
        finally:
            broker.child.stop(timeout=5)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_worker_without_a_broker_gives_up_with_1_and_the_message(nowhere: Settings, processes: int) -> None:
    began = time.monotonic()
    environment = as_environment(changed(nowhere, give_up_after=2.0))
    done = run_headrace("worker", "--processes", str(processes), settings=environment)
    assert done.returncode == 1
    assert time.monotonic() - began >= 2.0
    *attempts, last = done.stderr.splitlines()
    said = f"headrace: no Kafka broker answers at {nowhere.kafka} (KafkaTimeoutError): start it, or set HEADRACE_KAFKA"
    assert attempts
    assert all(line.startswith(said) and "; again in " in line for line in attempts)
    assert last.startswith(said)
    assert "(tried for " in last


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_wait_at_once(nowhere: Settings, tmp_path: Path, number: signal.Signals) -> None:
    with workers(changed(nowhere, give_up_after=300.0), tmp_path) as crew:
        eventually(lambda: "again in" in crew[0].output(), "it has tried", 40)
        crew[0].signal(number)
        assert crew[0].process.wait(3) == 128 + number
        assert crew[0].output().endswith("headrace: stopped\n")
        assert "Traceback" not in crew[0].output()


def test_a_worker_works_when_its_broker_comes_up_later(
    proxied: tuple[EmbeddedBroker, Proxy], settings: Settings, tmp_path: Path
) -> None:
    _, proxy = proxied
    mine = changed(settings, kafka=proxy.address)
    proxy.refuse()
    with workers(mine, tmp_path) as crew:
        eventually(lambda: "again in" in crew[0].output(), "it has tried", 40)
        proxy.resume()
        await_workers(mine, crew)
        produce(mine, REFERENCES)
        await_settled(mine, {"customers": 50}, crew)
        assert crew[0].terminate() == 0


def test_workers_start_although_their_connections_are_cut_at_every_step(
    proxied: tuple[EmbeddedBroker, Proxy], settings: Settings, tmp_path: Path
) -> None:
    _, proxy = proxied
    mine, rng = changed(settings, kafka=proxy.address), random.Random(7)
    with workers(mine, tmp_path, 3) as crew:
        until = time.monotonic() + 12
        while time.monotonic() < until:
            proxy.refuse()
            time.sleep(0.1)
            proxy.resume()
            time.sleep(rng.uniform(0.02, 0.5))  # less than a start takes: how far one gets is different each time
        await_workers(mine, crew)
        produce(mine, REFERENCES)
        await_settled(mine, {"customers": 50}, crew)
        assert [worker.terminate() for worker in crew] == [0, 0, 0]


def test_one_of_two_addresses_is_enough(settings: Settings, nowhere: Settings, tmp_path: Path) -> None:
    mine = changed(settings, kafka=f"{nowhere.kafka},{settings.kafka}")
    with workers(mine, tmp_path) as crew:
        await_workers(mine, crew)
        assert crew[0].terminate() == 0


def test_a_wrong_setting_is_not_tried_again(nowhere: Settings, tmp_path: Path) -> None:
    missing = changed(nowhere, kafka_security_protocol="SSL", kafka_ca_file=tmp_path / "no.pem")
    done = run_headrace("worker", settings=as_environment(missing))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "HEADRACE_KAFKA_CA_FILE" in done.stderr


def test_the_help_names_the_start() -> None:
    assert "also at the start" in " ".join((command.help or "").split())


def test_a_client_that_no_broker_answers_leaves_no_thread_behind() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_A_BROKER], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "1\n", done.stderr


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.timeout(180)
def test_workers_start_while_one_of_three_brokers_is_down(settings: Settings, tmp_path: Path) -> None:
    skip_without_kafka()
    cluster = KafkaCluster(CACHE, tmp_path)
    mine = changed(settings, kafka=cluster.bootstrap, replication=3, session_timeout=6.0)
    try:
        cluster.start()
        make_topics(mine)
        cluster.nodes[0].kill()
        # At once: the other brokers still name the dead one to their clients.
        with workers(mine, tmp_path, 3) as crew:
            await_workers(mine, crew)
            assert [worker.terminate() for worker in crew] == [0, 0, 0]
            assert not any("Traceback" in worker.output() for worker in crew)
    finally:
        cluster.stop()
