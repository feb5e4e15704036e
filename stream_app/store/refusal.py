"""Notice that Redis refuses writes. No worker can write that down: its heartbeat is refused, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stream_app.failures import reply


def refuses_writes(info: Mapping[str, Any]) -> str | None:
    """Return why Redis refuses writes, and what to do, from its answer to INFO; None if it takes them, as far as that says."""
    used = _integer(info, "used_memory") - _integer(info, "mem_not_counted_for_evict")
    limit = _integer(info, "maxmemory")
    if _integer(info, "loading"):
        return f"LOADING: {reply('LOADING').text}"
    if limit and used >= limit and info.get("maxmemory_policy", "noeviction") == "noeviction":
        return f"OOM: {reply('OOM').text}"
    if "err" in (info.get("rdb_last_bgsave_status"), info.get("aof_last_write_status")):
        return f"MISCONF: {reply('MISCONF').text}"
    return None


def _integer(info: Mapping[str, Any], field: str) -> int:
    try:
        return int(info[field])
    except (KeyError, TypeError, ValueError):
        return 0
