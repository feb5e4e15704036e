"""Commands that are packed in C have the bytes that redis-py's own packing gives them."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio.connection import Connection
from redis.exceptions import DataError

from stream_app.store import packing

SLOW = packing.in_python


@pytest.mark.parametrize(
    "command",
    [
        ("GET", "key"),
        ("HSET", "key", "field", b"\x00\xff", 5, 2.5),
        (b"EVALSHA", b"sha", 1, "schlüssel", b"x" * 100_000),
        ("SCRIPT LOAD", "return 1"),
    ],
)
def test_the_bytes_are_the_same(command: tuple[Any, ...]) -> None:
    packing.install()
    connection = Connection()
    assert b"".join(connection.pack_command(*command)) == b"".join(SLOW(connection, *command))


def test_a_value_that_cannot_be_sent_is_refused_as_before() -> None:
    packing.install()
    with pytest.raises(DataError):
        Connection().pack_command("SET", "key", None)  # type: ignore[arg-type]
