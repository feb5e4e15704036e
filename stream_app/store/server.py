"""The Redis server behind the store: what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """Answers of a server about itself; None where it gives none: an old version, a proxy, a user without the right to ask.

    Attributes:
        address: ``host:port`` (or the socket's path) of the connection.
        run_id: differs after each start of the process, and between servers.
        product: ``Redis``, ``Valkey``, ``KeyDB`` or ``Dragonfly``; ``version`` is the product's own.
        redis_version: the Redis whose commands it speaks.
        role: ``master`` or ``slave``.
        maxmemory: bytes; 0: unlimited. ``used_memory``: bytes.
        evicted_keys: keys evicted since the process started.
    """

    address: str = ""
    run_id: str | None = None
    product: str = "Redis"
    version: str | None = None
    redis_version: str | None = None
    role: str | None = None
    cluster: bool | None = None
    loading: bool = False
    maxmemory: int | None = None
    maxmemory_policy: str | None = None
    used_memory: int | None = None
    evicted_keys: int | None = None


def parse_info(raw: bytes | str) -> dict[str, str]:
    """Return the fields of an answer to INFO."""
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line and not line.startswith("#"))


def facts_of(info: Mapping[str, Any], address: str = "") -> ServerFacts:
    """Return the facts that an answer to INFO contains: of ``parse_info``, or of a client."""
    product, version = _product(info)
    return ServerFacts(
        address=address,
        run_id=_text(info, "run_id"),
        product=product,
        version=version,
        redis_version=_text(info, "redis_version"),
        role=_text(info, "role"),
        cluster=_cluster(info),
        loading=_text(info, "loading") == "1",
        maxmemory=_integer(info, "maxmemory"),
        maxmemory_policy=_text(info, "maxmemory_policy"),
        used_memory=_integer(info, "used_memory"),
        evicted_keys=_integer(info, "evicted_keys"),
    )


def _product(info: Mapping[str, Any]) -> tuple[str, str | None]:
    if version := _text(info, "dragonfly_version"):
        return "Dragonfly", version.removeprefix("df-").removeprefix("v")
    if version := _text(info, "valkey_version"):
        return "Valkey", version
    if "mvcc_depth" in info:
        return "KeyDB", _text(info, "redis_version")
    return "Redis", _text(info, "redis_version")


def _cluster(info: Mapping[str, Any]) -> bool | None:
    if (enabled := _text(info, "cluster_enabled")) is not None:
        return enabled == "1"
    mode = _text(info, "redis_mode") or _text(info, "server_mode")
    return None if mode is None else mode == "cluster"


def _text(info: Mapping[str, Any], field: str) -> str | None:
    value = info.get(field)
    return None if value is None else str(value)


def _integer(info: Mapping[str, Any], field: str) -> int | None:
    try:
        return int(info[field])
    except (KeyError, ValueError):
        return None
