"""A stream that brings little is fetched from time to time; one that brings much, or nothing, at once."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.metadata import MetadataRequest

from stream_app.kafka.batches.pacing import pace

GAP = 0.2
FETCH: Any = FetchRequest.__new__(FetchRequest)
METADATA: Any = MetadataRequest.__new__(MetadataRequest)


class Client:
    """A client whose broker answers at once with records of ``size`` bytes."""

    def __init__(self, size: int) -> None:
        self.size = size

    async def send(self, _node: int, _request: Any) -> Any:
        return SimpleNamespace(topics=[("orders", [(0, 0, 9, 9, [], None), (1, 0, 9, 9, [], b"x" * self.size)])])


def seconds(size: int, *asked: tuple[int, Any]) -> float:
    """How long some requests (node, request) take, one after the other."""

    async def run() -> float:
        client = Client(size)
        pace(client, GAP)
        began = time.monotonic()
        for node, request in asked:
            await client.send(node, request)
        return time.monotonic() - began

    return asyncio.run(run())


def test_two_fetches_that_bring_little_are_apart() -> None:
    assert seconds(100, (1, FETCH), (1, FETCH)) >= GAP


@pytest.mark.parametrize(
    ("size", "asked"),
    [
        (0, [(1, FETCH), (1, FETCH)]),
        (100_000, [(1, FETCH), (1, FETCH)]),
        (100, [(1, FETCH), (2, FETCH)]),
        (100, [(1, FETCH), (1, METADATA)]),
    ],
    ids=["nothing came", "much came", "another broker", "another request"],
)
def test_anything_else_is_asked_for_at_once(size: int, asked: list[tuple[int, Any]]) -> None:
    assert seconds(size, *asked) < GAP
