"""Answers to INFO and CONFIG GET as facts of the server; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stream_app.store.server import ServerFacts

#: Name of the configuration file by which the embedded Redis is known.
EMBEDDED_CONFIG = "headrace-embedded.conf"
#: The options that are read by CONFIG GET, which many managed services forbid.
OPTIONS = ("appendfsync", "save", "min-replicas-to-write")


def parse_info(raw: bytes | str) -> dict[str, str]:
    """Return the fields of an answer to INFO."""
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line and not line.startswith("#"))


def facts_of(info: Mapping[str, Any], address: str = "", options: Mapping[str, str] | None = None) -> ServerFacts:
    """Return the facts that an answer to INFO (``parse_info``, or a client's) and to CONFIG GET (``OPTIONS``) contain."""
    product, version = _product(info)
    options = options or {}
    return ServerFacts(
        address=address,
        run_id=_text(info, "run_id"),
        uptime=_integer(info, "uptime_in_seconds"),
        product=product,
        version=version,
        redis_version=_text(info, "redis_version"),
        role=_text(info, "role"),
        cluster=_cluster(info),
        embedded=(_text(info, "config_file") or "").endswith(EMBEDDED_CONFIG),
        loading=_text(info, "loading") == "1",
        maxmemory=_integer(info, "maxmemory"),
        policy=_text(info, "maxmemory_policy"),
        used_memory=_integer(info, "used_memory"),
        evicted_keys=_integer(info, "evicted_keys"),
        aof=_flag(info, "aof_enabled"),
        fsync=options.get("appendfsync"),
        save=options.get("save"),
        saved=_saved(info),
        replicas=_integer(info, "connected_slaves"),
        min_replicas=_integer(options, "min-replicas-to-write"),
    )


def _product(info: Mapping[str, Any]) -> tuple[str, str | None]:
    if version := _text(info, "dragonfly_version"):
        return "Dragonfly", version.removeprefix("df-").removeprefix("v")
    if version := _text(info, "valkey_version"):
        return "Valkey", version
    if "mvcc_depth" in info or "server_threads" in info:
        return "KeyDB", _text(info, "redis_version")
    return "Redis", _text(info, "redis_version")


def _cluster(info: Mapping[str, Any]) -> bool | None:
    if (enabled := _flag(info, "cluster_enabled")) is not None:
        return enabled
    mode = _text(info, "redis_mode") or _text(info, "server_mode")
    return None if mode is None else mode == "cluster"


def _saved(info: Mapping[str, Any]) -> bool | None:
    said = [_text(info, name) for name in ("rdb_last_bgsave_status", "aof_last_write_status", "aof_last_bgrewrite_status")]
    known = [status == "ok" for status in said if status is not None]
    return all(known) if known else None


def _text(info: Mapping[str, Any], field: str) -> str | None:
    value = info.get(field)
    return None if value is None else str(value)


def _flag(info: Mapping[str, Any], field: str) -> bool | None:
    text = _text(info, field)
    return None if text is None else text == "1"


def _integer(info: Mapping[str, Any], field: str) -> int | None:
    try:
        return int(info[field])
    except (KeyError, ValueError):
        return None
