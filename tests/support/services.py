"""Fixtures that run services: the embedded stack, real Kafka, empty databases, settings with topics of a test's own.

The layers that may use services import these into their ``conftest.py``; unit tests cannot ask for them.
"""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Iterator

import pytest
import redis

from headrace.embedded import EmbeddedStack
from headrace.embedded.kafka import ApacheKafka, apache_kafka, assemble, java_runtime
from stream_app.errors import EmbeddedError
from stream_app.settings import Settings, load_settings
from tests.support.brokers import Broker
from tests.support.paths import CACHE


@pytest.fixture(scope="session")
def stack() -> Iterator[EmbeddedStack]:
    """The embedded broker (``stack.kafka``) and Redis (``stack.redis_url``)."""
    with EmbeddedStack() as running:
        yield running


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """Bootstrap servers of a real Apache Kafka."""
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
    """Skip the test if this machine cannot run Apache Kafka."""
    try:
        java_runtime()
        assemble(CACHE)
    except EmbeddedError as error:
        pytest.skip(f"no real Kafka: {error}{advice}")


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Each test runs against the embedded broker, and against real Kafka."""
    if request.param == "kafka":
        return Broker("kafka", request.getfixturevalue("kafka"))
    return Broker("embedded", request.getfixturevalue("stack").kafka)


@pytest.fixture(scope="session")
def databases() -> Iterator[int]:
    """Numbers of the Redis databases, one after the other, without the one that the stack's own URL names."""
    return itertools.cycle(range(1, 16))


@pytest.fixture
def redis_url(stack: EmbeddedStack, databases: Iterator[int]) -> Iterator[str]:
    """URL of an empty Redis database that no other test uses at the moment."""
    url = stack.redis_url.replace("/0", f"/{next(databases)}")
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
def settings(stack: EmbeddedStack, redis_url: str, topic_prefix: str) -> Settings:
    """Settings of one test: the embedded stack, an empty database, topics and a group of its own."""
    return load_settings(
        kafka=stack.kafka,
        redis=redis_url,
        topic_prefix=topic_prefix,
        group=f"{topic_prefix}headrace",
        session_timeout=3.0,  # the embedded broker lets a member wait half of it
    )
