"""Find out why no broker answers: aiokafka's clients log the reason, and raise an error that does not tell it."""

from __future__ import annotations

import asyncio
import contextlib

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError

from stream_app.failures import classify
from stream_app.kafka.options import async_options
from stream_app.settings import Settings

#: Seconds that one server may take to accept a connection and the user.
_SECONDS = 5.0


async def diagnose(settings: Settings) -> BaseException | None:
    """Connect to the bootstrap servers; return why none of them accepts it, a permanent reason first; None if one does."""
    options = async_options(settings)
    reasons: list[BaseException] = []
    for server in options.pop("bootstrap_servers"):
        host, _, port = server.rpartition(":")
        try:
            # In time, whatever answers there: a connection without TLS to a port with TLS only waits.
            opened = await asyncio.wait_for(create_conn(host.strip("[]"), int(port), **options), _SECONDS)
        except (KafkaError, OSError, EOFError) as error:
            reasons.append(error)
        else:
            with contextlib.suppress(KafkaError, OSError):
                opened.close()
            return None
    return min(reasons, key=lambda reason: not classify(reason).permanent, default=None)
