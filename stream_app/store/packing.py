"""Pack the commands of redis-py's asyncio client in C: in Python this takes as long as all of a small look-up."""

from __future__ import annotations

from typing import Any

import hiredis
from redis.asyncio.connection import AbstractConnection

#: redis-py's own packing.
in_python = AbstractConnection.pack_command


def _pack_command(self: AbstractConnection, *args: Any) -> list[bytes]:
    name = args[0]
    if " " in name if isinstance(name, str) else b" " in name:
        return in_python(self, *args)  # such as "SCRIPT LOAD", which is sent as two arguments
    try:
        return [hiredis.pack_command(args)]
    except TypeError:
        return in_python(self, *args)  # redis-py says what is wrong with an argument


def install() -> None:
    """Make every asyncio client of this process pack its commands so."""
    AbstractConnection.pack_command = _pack_command  # type: ignore[method-assign]
