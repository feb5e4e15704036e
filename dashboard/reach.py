"""Whether Kafka is there at all, told within seconds: someone is looking."""

from __future__ import annotations

import socket

from stream_app.errors import DeliveryError
from stream_app.settings import Settings

#: Seconds for one server to answer.
SECONDS = 2.0


def check(settings: Settings) -> None:
    """Return when one of the bootstrap servers takes connections.

    Raises:
        DeliveryError: none does.
    """
    for server in settings.kafka.split(","):
        host, _, port = server.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS).close()
        except OSError:
            continue
        return
    raise DeliveryError(f"no Kafka broker answers at {settings.kafka}: start it, or set HEADRACE_KAFKA to where it is")
