"""The embedded broker and Redis together, started side by side and stopped in order."""

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

#: How often a service is started anew when it ends at once: another program may have taken its port before it could.
ATTEMPTS = 3


class Service(Protocol):
    """A child process that has to be waited for."""

    child: Child

    def wait(self) -> None: ...


S = TypeVar("S", bound=Service)


class EmbeddedStack:
    """``with EmbeddedStack() as stack:`` runs a broker at ``stack.kafka`` and a Redis at ``stack.redis_url``.

    Both listen on free ports of the loopback interface, keep everything in memory, and end with this process, even when
    it is killed.
    """

    kafka: str
    redis_url: str

    def __init__(self, folder: Path | None = None, *, broker: bool = True, redis: bool = True) -> None:
        """``folder`` is for logs (default: a temporary one); ``broker`` and ``redis``: which of the two to start."""
        self._given = folder
        self._broker = broker
        self._redis = redis
        self.children: dict[str, Child] = {}

    def start(self) -> Self:
        """Start what is wanted and wait until it is ready.

        Raises:
            EmbeddedError: with the tail of the log of what did not start; nothing is left running.
        """
        self.folder = self._given or Path(tempfile.mkdtemp(prefix="headrace-"))
        try:
            broker = self._launch("kafka", EmbeddedBroker) if self._broker else None
            redis = self._launch("redis", EmbeddedRedis) if self._redis else None
            if broker:
                self.kafka = self._settle("kafka", broker, EmbeddedBroker).bootstrap
            if redis:
                self.redis_url = self._settle("redis", redis, EmbeddedRedis).url
        except BaseException:
            self.stop()
            raise
        return self

    def _launch(self, name: str, make: Callable[[Path], S]) -> S:
        service = make(self.folder)
        self.children[name] = service.child
        return service

    def _settle(self, name: str, service: S, make: Callable[[Path], S]) -> S:
        """Wait until the service answers; one that ended at once gets further attempts, on other ports."""
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
        """Stop both and remove the temporary folder. Calling it again does nothing."""
        for child in reversed(self.children.values()):
            child.stop(timeout=5)
        self.children.clear()
        if self._given is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
