"""Space the fetches of a stream that brings little: each answer costs as much work as one that brings a hundred records."""

from __future__ import annotations

import asyncio
import time
from typing import Any

#: Seconds from an answer with little in it to the next fetch of the same broker.
GAP = 0.008
#: Bytes of records from which an answer is not taken for little.
_ENOUGH = 64 * 1024
_FETCH = 1


def pace(client: Any, gap: float = GAP) -> None:
    """Let one of aiokafka's clients wait for a moment before it fetches again what it has just fetched.

    At a thousand records a second a broker has something new for each fetch, two or three records. The worker would spend its
    time on fetches and passes over them, and records would wait for that longer than they do for the next fetch.
    """
    original = client.send
    little: dict[Any, float] = {}

    async def send(node_id: Any, request: Any, **options: Any) -> Any:
        if getattr(request, "API_KEY", None) != _FETCH:
            return await original(node_id, request, **options)
        if (wait := little.get(node_id, 0.0) + gap - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        response = await original(node_id, request, **options)
        little[node_id] = time.monotonic() if 0 < _size(response) < _ENOUGH else 0.0
        return response

    client.send = send


def _size(response: Any) -> int:
    return sum(len(partition[-1] or b"") for _, partitions in response.topics for partition in partitions)
