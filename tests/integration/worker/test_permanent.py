"""A permanent error ends the worker at once, or stops one entity, with what to do; after the cure the entity goes on."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from kafka.admin import ACLOperation
from kafka.errors import KafkaTimeoutError

from headrace.embedded import Child
from headrace.embedded.child import free_port
from headrace.embedded.readiness import wait_until
from headrace.embedded.redis_server import binary
from stream_app.failures import classify
from stream_app.kafka.diagnosis import connection_problem, diagnose
from stream_app.names import Topics, anomalies_topic
from stream_app.settings import Settings
from tests.support.crew import changed
from tests.support.recount import assert_exact
from tests.support.secured import PASSWORD, SecuredKafka, secured_kafka
from tests.support.services import skip_without_kafka
from tests.support.stream import Books, await_settled, await_workers, customer, make_topics, order, produce, product
from tests.support.stream import workers as running_workers
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow]
READ, WRITE, DESCRIBE = ACLOperation.READ, ACLOperation.WRITE, ACLOperation.DESCRIBE


def ended(settings: Settings, folder: Path, seconds: float = 20) -> str:
    """The output of a worker that ends by itself with 1, long before it would give up."""
    assert settings.give_up_after > 5 * seconds
    folder.mkdir()
    with running_workers(settings, folder) as crew:
        assert crew[0].process.wait(seconds) == 1
        output = crew[0].output()
    assert "Traceback" not in output
    return output


# --- Redis ------------------------------------------------------------------------------------------------------------


class Redises:
    """Redis servers with options."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._children = folder, list[Child]()

    def start(self, *options: str) -> int:
        """Start one; return its port."""
        port = next(port for port in iter(free_port, 0) if port <= 55_535)  # a cluster also uses the port 10,000 above
        folder = self._folder / f"redis-{port}"
        folder.mkdir()
        command = [str(binary()), "-", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", ""]
        child = Child.start("Redis", [*command, *options], folder / "redis.log")
        self._children.append(child)
        wait_until(child, lambda: _listens(port))
        return port

    def stop(self) -> None:
        for child in self._children:
            child.stop()


def _listens(port: int) -> bool:
    try:
        redis.Redis(port=port).ping()
    except redis.AuthenticationError:
        return True
    except redis.ConnectionError:
        return False
    return True


@pytest.fixture
def redises(tmp_path: Path) -> Iterator[Redises]:
    started = Redises(tmp_path)
    yield started
    started.stop()


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ("", "NOAUTH: Redis requires a password); add it to HEADRACE_REDIS"),
        (":wrong@", "WRONGPASS: Redis refused the user or password); correct them in HEADRACE_REDIS"),
        ("reader:secret@", "NOPERM: the Redis user lacks a right); grant it"),
    ],
    ids=["no password", "a wrong password", "a missing right"],
)
def test_a_redis_that_refuses_the_user_ends_the_worker(
    user: str, said: str, settings: Settings, redises: Redises, tmp_path: Path
) -> None:
    port = redises.start("--requirepass", "p4ss")
    with redis.Redis(port=port, password="p4ss") as client:
        client.acl_setuser("reader", enabled=True, passwords=["+secret"], keys=["*"], categories=["+@read", "+@connection"])
    make_topics(settings)
    output = ended(changed(settings, redis=f"redis://{user}127.0.0.1:{port}/0"), tmp_path / "worker")
    assert said in output
    assert "p4ss" not in output


def test_a_redis_cluster_ends_the_worker_by_name(settings: Settings, redises: Redises, tmp_path: Path) -> None:
    first, second = (redises.start("--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1") for _ in range(2))
    with redis.Redis(port=first) as one, redis.Redis(port=second) as other:
        one.execute_command("CLUSTER", "ADDSLOTS", *range(8_192))
        other.execute_command("CLUSTER", "ADDSLOTS", *range(8_192, 16_384))
        one.execute_command("CLUSTER", "MEET", "127.0.0.1", second)
        eventually(lambda: b"cluster_state:ok" in one.execute_command("CLUSTER", "INFO"), "the cluster works")
    make_topics(settings)
    output = ended(changed(settings, redis=f"redis://127.0.0.1:{first}/0"), tmp_path / "worker")
    assert "Redis Cluster" in output
    assert "without cluster mode" in output


def test_a_password_that_is_changed_while_the_worker_runs_ends_it(settings: Settings, redises: Redises, tmp_path: Path) -> None:
    port = redises.start("--requirepass", "p4ss")
    mine = changed(settings, redis=f"redis://:p4ss@127.0.0.1:{port}/0")
    make_topics(mine)
    with running_workers(mine, tmp_path) as crew:
        await_workers(mine, crew)
        with redis.Redis(port=port, password="p4ss") as client:
            client.config_set("requirepass", "other")
            client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no")
        assert crew[0].process.wait(20) == 1
        assert "WRONGPASS" in crew[0].output()


# --- Kafka ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    skip_without_kafka()
    with secured_kafka(tmp_path_factory.mktemp("secured")) as broker:
        yield broker


@pytest.fixture
def granted(secured: SecuredKafka, settings: Settings) -> Settings:
    """The settings of a worker that may do all that it needs; its topics are there."""
    make_topics(changed(settings, kafka=secured.bootstrap))
    secured.grant(READ, WRITE, DESCRIBE, topic=settings.topic_prefix, prefix=True)
    secured.grant(READ, DESCRIBE, group=settings.group, prefix=True)
    return secured.settings(settings, session_timeout=6.0)


def anyone(secured: SecuredKafka, settings: Settings) -> Settings:
    return changed(settings, kafka=secured.bootstrap, kafka_security_protocol="PLAINTEXT", kafka_username="", kafka_password="")


def beat(settings: Settings) -> Any:
    rows = Books(settings).client.hvals(Books(settings).keys.workers())
    return json.loads(rows[0]) if rows else {"state": "starting"}


@pytest.mark.kafka
def test_a_wrong_password_of_kafka_ends_the_worker(secured: SecuredKafka, settings: Settings, tmp_path: Path) -> None:
    wrong = secured.settings(settings, password="wr0ng")
    folder = tmp_path / "worker"
    folder.mkdir()
    with running_workers(wrong, folder) as crew:
        assert crew[0].process.wait(20) == 1
        assert "HEADRACE_KAFKA_PASSWORD" in crew[0].output()
        assert "again in" not in crew[0].output()
        assert "wr0ng" not in crew[0].output()


@pytest.mark.kafka
@pytest.mark.parametrize(("password", "said"), [("wr0ng", "Kafka refuses the user, the password"), (PASSWORD, None)])
def test_it_is_found_out_why_no_broker_answers(
    secured: SecuredKafka, settings: Settings, password: str, said: str | None
) -> None:
    asked = secured.settings(settings, password)
    reason = asyncio.run(diagnose(asked))
    assert (reason is None) == (said is None)
    if reason is not None and said is not None:
        assert classify(reason).permanent
        assert said in str(connection_problem(asked, KafkaTimeoutError()))


@pytest.mark.kafka
def test_a_right_on_the_group_that_is_missing_ends_the_worker(secured: SecuredKafka, granted: Settings, tmp_path: Path) -> None:
    secured.revoke(READ, DESCRIBE, group=granted.group, prefix=True)
    output = ended(granted, tmp_path / "worker")
    assert "the user may not use the consumer group" in output
    assert "grant READ and DESCRIBE" in output


@pytest.mark.kafka
@pytest.mark.parametrize("exactly_once", [False, True], ids=["at least once", "exactly once"])
def test_an_entity_whose_topic_refuses_stops_alone_and_goes_on_after_the_cure(
    secured: SecuredKafka, granted: Settings, tmp_path: Path, exactly_once: bool
) -> None:
    mine, topics = changed(granted, exactly_once=exactly_once), Topics("orders", granted.topic_prefix)
    others = anyone(secured, mine)
    # All rights but one: WRITE on orders.clean.
    secured.revoke(READ, WRITE, DESCRIBE, topic=mine.topic_prefix, prefix=True)
    secured.grant(READ, DESCRIBE, topic=mine.topic_prefix, prefix=True)
    for name in [name for entity in ("customers", "products", "visits") for name in Topics(entity, mine.topic_prefix).all]:
        secured.grant(WRITE, topic=name)
    secured.grant(WRITE, topic=topics.dead_letter)
    secured.grant(WRITE, topic=topics.pending)
    if exactly_once:
        secured.grant_transactions(mine.group)
    produce(others, [customer(1), product(1)])
    with running_workers(mine, tmp_path) as crew:
        await_settled(others, {"customers": 1, "products": 1}, crew)
        produce(others, [order(number) for number in range(1, 201)])
        eventually(lambda: beat(mine)["state"] == "stopped", "orders are stopped", 30)
        problem = beat(mine)["problems"][0]
        assert problem["stopped"]
        assert problem["subject"].startswith("orders[")
        assert topics.clean in problem["text"]
        assert "grant" in problem["text"]
        # The other entities go on, and their success does not clear the problem.
        began = time.monotonic()
        for number in range(2, 22):
            produce(others, [customer(number)])
        await_settled(others, {"customers": 21}, crew)
        assert time.monotonic() - began < 20
        assert beat(mine)["state"] == "stopped"
        assert crew[0].running
        assert Books(mine).total("orders").get("in", 0) == 0
        secured.grant(WRITE, topic=topics.clean)
        await_settled(others, {"orders": 200}, crew)
        eventually(lambda: beat(mine)["state"] == "running", "all works again")
        assert "orders[" in crew[0].output()
        assert "recovered (deliver)" in crew[0].output()
        assert crew[0].terminate() == 0
        assert "never retrieved" not in crew[0].output()
    assert_exact(others)


@pytest.mark.kafka
def test_an_entity_whose_raw_topic_may_not_be_read_stops_alone(
    secured: SecuredKafka, granted: Settings, tmp_path: Path
) -> None:
    topics, others = Topics("orders", granted.topic_prefix), anyone(secured, granted)
    secured.revoke(READ, WRITE, DESCRIBE, topic=granted.topic_prefix, prefix=True)
    secured.grant(WRITE, DESCRIBE, topic=granted.topic_prefix, prefix=True)
    for name in (topics.pending, topics.clean, topics.dead_letter, anomalies_topic(granted.topic_prefix)):
        secured.grant(READ, topic=name)
    for entity in ("customers", "products", "visits"):
        for name in Topics(entity, granted.topic_prefix).all:
            secured.grant(READ, topic=name)
    produce(others, [customer(1), product(1), *(order(number) for number in range(1, 201))])
    with running_workers(granted, tmp_path) as crew:
        await_settled(others, {"customers": 1, "products": 1}, crew)
        eventually(lambda: beat(granted)["state"] == "stopped", "orders are stopped", 30)
        problem = beat(granted)["problems"][0]
        assert (problem["subject"], problem["stopped"]) == ("orders", True)
        assert topics.raw in problem["text"]
        produce(others, [customer(number) for number in range(2, 22)])
        await_settled(others, {"customers": 21}, crew)
        secured.grant(READ, topic=topics.raw)
        await_settled(others, {"orders": 200}, crew)
        eventually(lambda: beat(granted)["state"] == "running", "all works again")
        assert crew[0].terminate() == 0
    assert_exact(others)


@pytest.mark.kafka
def test_a_right_on_the_group_that_is_taken_away_ends_the_worker(
    secured: SecuredKafka, granted: Settings, tmp_path: Path
) -> None:
    others = anyone(secured, granted)
    produce(others, [customer(1)])
    with running_workers(granted, tmp_path) as crew:
        await_settled(others, {"customers": 1}, crew)
        secured.revoke(READ, DESCRIBE, group=granted.group, prefix=True)
        produce(others, [customer(2)])
        assert crew[0].process.wait(30) == 1
        assert "the user may not use the consumer group" in crew[0].output()
        assert "Traceback" not in crew[0].output()
