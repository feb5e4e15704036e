"""The unique keys in a store, however they are laid out there."""

from __future__ import annotations

from typing import Any

from stream_app.store.keys import Keys


def owners(client: Any, keys: Keys) -> dict[str, str]:
    """Return ``entity:rule/period/id`` → owner; the client decodes."""
    found: dict[str, str] = {}
    stem = keys.unique_stem("")[:-1]
    for name in list(client.scan_iter(match=f"{stem}*", count=1000)):
        if "/" in name:
            continue
        for period, layout in client.hgetall(name).items():
            flat, rule, width = f"{name}/{period}", name.removeprefix(stem), int(layout.split()[0])
            found |= {f"{rule}/{period}/{one}": owner for one, owner in client.hgetall(flat).items()}
            for bucket in client.scan_iter(match=f"{flat}/*", count=1000):
                begin = int(bucket.rpartition("/")[2]) * width
                found |= {f"{rule}/{period}/{begin + int(one)}": owner for one, owner in client.hgetall(bucket).items()}
    return found
