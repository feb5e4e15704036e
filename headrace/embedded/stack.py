"""The embedded broker and the embedded Redis, started side by side and stopped in order."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypeVar

from headrace.embedded.broker import EmbeddedBroker
from headrace.embedded.child import Child
from headrace.embedded.redis_server import EmbeddedRedis
from stream_app.errors import EmbeddedError

#: Attempts to start a service that ends at once, because another program may have taken its port.
ATTEMPTS = 3


class Service(Protocol):
    """A child process that needs time to become ready."""

    child: Child

    def wait(self) -> None:
        """Wait until it is ready."""


S = TypeVar("S", bound=Service)


class EmbeddedStack:
    """``with EmbeddedStack() as stack:`` runs a broker at ``stack.kafka`` and a Redis at ``stack.redis_url``.

    Both listen on free ports of the loopback interface, keep all data in memory, and end with this process, even if it is
    killed.
    """

    kafka: str
    redis_url: str

    def __init__(self, folder: Path | None = None, *, broker: bool = True, redis: bool = True) -> None:
        """Choose the services to start. ``folder``: for logs; default: a temporary one."""
        self._given = folder
        self._broker = broker
        self._redis = redis
        self.children: dict[str, Child] = {}

    def start(self) -> Self:
        """Start the chosen services and wait until they are ready.

        Raises:
            EmbeddedError: a service did not start; with the tail of its log. All services are stopped.
        """
        self.folder = self._given or Path(tempfile.mkdtemp(prefix="headrace-"))
        try:
            broker = self._launch("kafka", EmbeddedBroker) if self._broker else None
            redis = self._launch("redis", EmbeddedRedis) if self._redis else None
            if broker:
                self.kafka = self._ready("kafka", broker, EmbeddedBroker).bootstrap
            if redis:
                self.redis_url = self._ready("redis", redis, EmbeddedRedis).url
        except BaseException:
            self.stop()
            raise
        return self

    def _launch(self, name: str, make: Callable[[Path], S]) -> S:
        service = make(self.folder)
        self.children[name] = service.child
        return service

    def _ready(self, name: str, service: S, make: Callable[[Path], S]) -> S:
        """Wait until the service answers; start it again, on another port, if it ended at once."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                service.wait()
                break
            except EmbeddedError:
                if attempt == ATTEMPTS or service.child.exit_code is None:
                    raise
                service = self._launch(name, make)
        return service

    def stop(self) -> None:
        """Stop the services and remove the temporary folder. A second call does nothing."""
        for child in reversed(self.children.values()):
            child.stop(timeout=5)
        self.children.clear()
        if self._given is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
