"""Redis says itself that it refuses writes, because no worker can write that down."""

from __future__ import annotations

from typing import Any

import pytest

from stream_app.store.refusal import refuses_writes

FULL = {"used_memory": 1_100, "maxmemory": 1_000, "maxmemory_policy": "noeviction"}


@pytest.mark.parametrize(
    ("info", "word"),
    [
        (FULL, "OOM"),
        ({"loading": 1}, "LOADING"),
        ({"rdb_last_bgsave_status": "err"}, "MISCONF"),
        ({"aof_last_write_status": "err"}, "MISCONF"),
        (FULL | {"mem_not_counted_for_evict": 200}, None),
        (FULL | {"maxmemory_policy": "allkeys-lru"}, None),
        (FULL | {"maxmemory": 0}, None),
        ({"used_memory": 1, "rdb_last_bgsave_status": "ok", "aof_last_write_status": "ok", "loading": 0}, None),
        ({}, None),
    ],
)
def test_why_redis_refuses_writes(info: dict[str, Any], word: str | None) -> None:
    text = refuses_writes(info)
    assert (None if text is None else text.partition(":")[0]) == word
    assert text is None or "; " in text, "it says what to do"
