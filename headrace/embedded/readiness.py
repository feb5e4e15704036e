"""Wait until a service answers in its own protocol, and is the process that was started."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from headrace.embedded.child import POLL, Child

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Maximum seconds for a service to start.
START_TIMEOUT = 60.0


def wait_until(child: Child, ready: Callable[[], bool], timeout: float = START_TIMEOUT) -> None:
    """Wait until ``ready()`` is true.

    Raises:
        EmbeddedError: the child ended, or ``timeout`` seconds have passed; with the tail of its log.
    """
    deadline = time.monotonic() + timeout
    while not ready():
        if child.exit_code is not None:
            raise child.failure("ended while it was starting")
        if time.monotonic() > deadline:
            raise child.failure(f"did not answer within {timeout:.0f} s")
        time.sleep(POLL)


def is_listening(port: int) -> bool:
    """True if a process accepts connections on this loopback port."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def kafka_answers(port: int, cluster_id: str) -> bool:
    """True if the broker on this loopback port answers ApiVersions and Metadata as the cluster ``cluster_id``."""
    if not is_listening(port):  # checked first, because the client logs a warning for every refused connection
        return False
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    with quiet("kafka"), suppress(KafkaError):
        admin = KafkaAdminClient(bootstrap_servers=f"127.0.0.1:{port}", request_timeout_ms=5_000)
        try:
            return bool(admin.describe_cluster()["cluster_id"] == cluster_id)
        finally:
            admin.close()
    return False


def redis_answers(port: int, pid: int) -> bool:
    """True if the Redis on this loopback port answers, and is the process ``pid``."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    client = redis.Redis(host="127.0.0.1", port=port, socket_timeout=2, retry=Retry(NoBackoff(), 0))
    with suppress(redis.RedisError), client:
        return bool(client.info("server")["process_id"] == pid)
    return False


@contextmanager
def quiet(logger: str) -> Iterator[None]:
    """Suppress a library's warnings while failures are expected."""
    log = logging.getLogger(logger)
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)
