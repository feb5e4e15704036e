"""A child process that ends with its parent, logs to a file and can be stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from stream_app.errors import EmbeddedError

GUARD = Path(__file__).with_name("guard.py")
#: Seconds between two checks of a process that is starting.
POLL = 0.02


class Child:
    """One running child process.

    It leads a session of its own, so that Ctrl-C in the terminal reaches only the parent, which then stops its children in
    order. Start it from a thread that lives as long as the child should: Linux kills the child when that thread ends.
    """

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process

    @classmethod
    def start(cls, name: str, command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None) -> Child:
        """Run ``command`` (first an absolute path) with ``environment`` added to ours; stdout and stderr go to ``log``."""
        guarded = [sys.executable, "-I", "-S", str(GUARD), str(os.getpid()), *map(str, command)]
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 - our own command, no shell
                guarded,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | environment if environment else None,  # passed on unread
                start_new_session=True,
            )
        return cls(name, process, log)

    @property
    def pid(self) -> int:
        """Process id of the command."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Exit code; None while the process runs; negative: the signal that ended it."""
        return self._process.poll()

    def wait(self, timeout: float | None = None) -> int | None:
        """Return the exit code, or None if the process still runs after ``timeout`` seconds."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout)
        return None

    def stop(self, timeout: float = 10.0) -> int:
        """Send SIGTERM; after ``timeout`` seconds, SIGKILL to the process and its descendants.

        Returns:
            The exit code.
        """
        if self.exit_code is None:
            self._process.send_signal(signal.SIGTERM)
            if self.wait(timeout) is None:
                with suppress(ProcessLookupError):
                    os.killpg(self.pid, signal.SIGKILL)
        return self._process.wait()

    def tail(self, lines: int = 20) -> str:
        """Return the last lines of the log."""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 16_384))
            text = log.read().decode("utf-8", "replace")
        return "\n".join(text.splitlines()[-lines:])

    def failure(self, what: str) -> EmbeddedError:
        """Return an error that says ``what`` happened to this child, and ends with the tail of its log."""
        code = self.exit_code
        state = "is running" if code is None else f"exit code {code}"
        return EmbeddedError(f"{self.name} {what} ({state}). Its log, {self.log}, ends with:\n{self.tail() or '(empty)'}")


def free_port() -> int:
    """Return a TCP port of the loopback interface on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def bundled(package: str, program: str) -> Path | None:
    """Return the file ``bin/<program>`` of an installed package without importing it; None if it does not exist."""
    from importlib.util import find_spec

    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "bin" / program
    return path if path.is_file() else None
