"""A store before and after it was rebuilt: what it contains, and in which epoch it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from struct import iter_unpack
from typing import Any

from stream_app.counts.found import IN_WINDOW
from stream_app.settings import Settings
from stream_app.store.keys import Keys
from stream_app.store.ownership import READY, StoreState
from tests.support.stream import Books

#: Keys that a rebuild does not have to bring back as they were: who works, samples of the newest, what is learned, and which
#: deleted ids workers are to forget, who forget everything in a new epoch. How unique keys are laid out depends on their order;
#: that they are the same is compared by ``owners``.
_PASSING = (
    "workers", "evictions", "findings", "clean:", "monitor", "unsent", "store", "restored", "restoring", "baseline", "learned",
    "counted", "applied", "lookup", "lost", "memory-seen", "uniq",
    "deleted:",
)  # fmt: skip


def contents(settings: Settings) -> dict[str, object]:
    """Everything in the store but for what passes, in one comparable form."""
    client = Books(settings).client
    found: dict[str, object] = {**owners(client, Keys(settings.redis_prefix))}
    for key in client.scan_iter(match=f"{settings.redis_prefix}:*"):
        name = key.removeprefix(f"{settings.redis_prefix}:")
        if name.startswith(_PASSING):
            continue
        kind = client.type(key)
        if kind == "hash":
            found |= {
                f"{name}/{field}": value for field, value in client.hgetall(key).items() if value != "0" and field != "at"
            }
        elif kind == "set":
            found[name] = client.smembers(key)
        elif kind == "zset":
            found[name] = client.zrange(key, 0, -1, withscores=True)
        elif kind == "list":
            # Findings by rule and window: those of a full window depend on the order in which they came.
            sources = sorted(json.loads(row)[0] for row in client.lrange(key, 0, -1))
            found[name] = sources if len(sources) < IN_WINDOW else IN_WINDOW
        else:
            found[name] = client.pfcount(key) if name.startswith("hll:") else client.get(key)
    return found


def state(settings: Settings) -> StoreState:
    """The store as a whole."""
    client = Books(settings).client
    return StoreState.read(client.hgetall(Keys(settings.redis_prefix).store()))


def restored(settings: Settings, before: StoreState) -> Callable[[], bool]:
    """True once the store is ready in another epoch than before."""
    return lambda: (now := state(settings)).state == READY and now.epoch != before.epoch


def owners(client: Any, keys: Keys) -> dict[str, str]:
    """Return ``entity:rule/period/id`` → owner; the client decodes."""
    found: dict[str, str] = {}
    stem = keys.unique_stem("")[:-1]
    for name in list(client.scan_iter(match=f"{stem}*", count=1000)):
        if "/" in name:
            continue
        for period, layout in client.hgetall(name).items():
            flat, rule, (width, *_, size) = f"{name}/{period}", name.removeprefix(stem), [int(one) for one in layout.split()]
            found |= {f"{rule}/{period}/{one}": owner for one, owner in client.hgetall(flat).items()}
            for bucket in client.scan_iter(match=f"{flat}/*[0-9]", count=1000):
                begin = int(bucket.rpartition("/")[2]) * width
                codes, stored = _raw(client, bucket), _raw(client, f"{bucket}/owners")
                for index, (code,) in enumerate(iter_unpack("<H", codes)):
                    owner = stored[index * size : (index + 1) * size]
                    found[f"{rule}/{period}/{begin + code}"] = client.get_encoder().decode(owner, force=True)
    return found


def _raw(client: Any, key: str) -> bytes:
    value: bytes = client.execute_command("GET", key, NEVER_DECODE=True)
    return value
