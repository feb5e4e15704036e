"""Fixtures that every part's tests share: the embedded stack, real Kafka, fresh databases and unique names."""

from __future__ import annotations

import itertools
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from headrace.embedded import EmbeddedStack
from headrace.embedded.kafka import ApacheKafka, apache_kafka, assemble, java_runtime
from stream_app.errors import EmbeddedError
from stream_app.settings import Settings, load_settings
from tests.support.brokers import Broker
from tests.support.paths import CACHE, ROOT
from tests.support.processes import descendants, describe, kill
from tests.support.waiting import soon

for name in [name for name in os.environ if name.startswith("HEADRACE_") and not name.startswith("HEADRACE_TEST_")]:
    del os.environ[name]  # whoever runs the tests may have a cluster of their own configured


#: The files that take longest are begun first: one that begins last would be waited for alone.
LONGEST = (
    "integration/headrace/test_online_retail.py",
    "browser/dashboard/test_live_pages.py",
    "integration/worker/test_outages.py",
    "browser/dashboard/test_states.py",
    "integration/headrace/test_evaluate_command.py",
    "unit/judge/test_properties.py",
    "integration/worker/test_lifecycle.py",
    "integration/kafka/test_broker_contract.py",
    "integration/worker/test_stop_signals.py",
    "integration/headrace/test_demo_command.py",
    "unit/monitor/test_incidents.py",
    "integration/dashboard/test_overview_page.py",
    "unit/reporter/test_property.py",
    "integration/worker/test_exactly_once.py",
    "integration/worker/test_kill.py",
    "integration/producers/test_delivery.py",
    "integration/worker/test_waiting.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the longest files first."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.relative_to(ROOT / "tests").as_posix(), len(places)))


@pytest.fixture(scope="session", autouse=True)
def no_process_is_left_behind() -> Iterator[None]:
    """Fails the session when a test leaves a process running, and ends it."""
    before = descendants(os.getpid())
    yield
    soon(lambda: not descendants(os.getpid()) - before, timeout=5)
    left = {pid: describe(pid) for pid in descendants(os.getpid()) - before}
    kill(left)
    assert not left, f"tests left processes running: {left}"


@pytest.fixture(scope="session")
def stack() -> Iterator[EmbeddedStack]:
    """The embedded broker (``stack.kafka``) and Redis (``stack.redis_url``)."""
    with EmbeddedStack() as running:
        yield running


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """Bootstrap servers of a real Apache Kafka. Tests that use it are marked ``kafka``."""
    existing = os.environ.get("HEADRACE_TEST_KAFKA")
    if existing:
        yield existing
        return
    skip_without_kafka("; or set HEADRACE_TEST_KAFKA to the host:port of one")
    with apache_kafka(CACHE) as bootstrap:
        yield bootstrap


@pytest.fixture
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    """A real Apache Kafka of one test's own, to be stopped and started again."""
    skip_without_kafka()
    broker = ApacheKafka(CACHE, tmp_path_factory.mktemp("kafka"))
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()


def skip_without_kafka(advice: str = "") -> None:
    try:
        java_runtime()
        assemble(CACHE)
    except EmbeddedError as error:
        pytest.skip(f"no real Kafka: {error}{advice}")


@pytest.fixture(params=[pytest.param("embedded", marks=pytest.mark.stack), pytest.param("kafka", marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Each test runs against the embedded broker, and against real Kafka."""
    if request.param == "kafka":
        return Broker("kafka", request.getfixturevalue("kafka"))
    return Broker("embedded", request.getfixturevalue("stack").kafka)


@pytest.fixture(scope="session")
def _databases() -> Iterator[int]:
    return itertools.cycle(range(1, 16))


@pytest.fixture
def redis_url(stack: EmbeddedStack, _databases: Iterator[int]) -> Iterator[str]:
    """URL of an empty Redis database that no other test uses at the moment."""
    url = stack.redis_url.replace("/0", f"/{next(_databases)}")
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    yield url
    with redis.Redis.from_url(url) as client:
        client.flushdb()


@pytest.fixture
def topic_prefix() -> str:
    """Makes topic and group names unique to one test."""
    return f"t{uuid.uuid4().hex[:8]}-"


@pytest.fixture
def shop_dir(tmp_path: Path) -> Path:
    """A copy of the built-in shop's contracts, to change at will."""
    folder = tmp_path / "shop"
    shutil.copytree(ROOT / "stream_app" / "contracts", folder)
    return folder


@pytest.fixture
def settings(stack: EmbeddedStack, redis_url: str, topic_prefix: str) -> Settings:
    """Settings of one test: the embedded stack, an empty database, topics and a group of its own."""
    return load_settings(
        kafka=stack.kafka,
        redis=redis_url,
        topic_prefix=topic_prefix,
        group=f"{topic_prefix}headrace",
        session_timeout=3.0,  # the embedded broker lets a member wait half of it
    )
