"""The atomic scripts that change the store: a Lua file each, with its KEYS, ARGV and reply in its header.

Redis 6.0 and later run them. Payloads are MessagePack. A script gets its keys, or their stems, as KEYS and spells none.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any, overload

import msgpack
import redis
import redis.asyncio
from redis.commands.core import AsyncScript, Script

#: Script → the file of functions that it begins with.
_SHARED = {
    "look_up": "unique", "apply": "unique",
    "commit_windows": "incidents", "note_loss": "incidents", "restore_incidents": "incidents",
}  # fmt: skip


@overload
def load(client: redis.Redis, name: str) -> Script: ...
@overload
def load(client: redis.asyncio.Redis, name: str) -> AsyncScript: ...
def load(client: redis.Redis | redis.asyncio.Redis, name: str) -> Script | AsyncScript:
    """Register the script in ``<name>.lua`` with a client; nothing is sent until it is called."""
    return client.register_script(_whole(name))


def load_guarded(client: redis.asyncio.Redis, name: str) -> AsyncScript:
    """Register a script that begins with ``guard.lua``: its last KEYS and ARGV are those of the guard."""
    return client.register_script(_source("guard") + _whole(name))


def pack(value: Any) -> bytes:
    """Return MessagePack as Redis' own decoder reads it: without bin types."""
    packed: bytes = msgpack.packb(value, use_bin_type=False)
    return packed


def _whole(name: str) -> str:
    return _source(_SHARED[name]) + _source(name) if name in _SHARED else _source(name)


@cache
def _source(name: str) -> str:
    return files(__name__).joinpath(f"{name}.lua").read_text("utf-8")
