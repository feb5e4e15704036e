"""The Redis server as pages and ``headrace status`` show it: its facts in words, and the checks that it does not pass."""

from __future__ import annotations

import dataclasses
from typing import Any

from stream_app.store.queries import Queries
from stream_app.store.server import Problem, ServerFacts, judge

#: Shown for a fact that the server does not give: an old version, a proxy, a user without the right to ask.
UNKNOWN = "unknown"


def problems_of(facts: ServerFacts) -> list[Problem]:
    """Return the problems of a server for readers, who may use a replica, and know nothing of the workers' settings."""
    return [problem for problem in judge(facts) if problem.check != "replica"]


def read_server(queries: Queries) -> dict[str, Any]:
    """Read the ``redis`` of ``headrace status --json``: all facts, null where the server does not give them, and the problems.

    Raises:
        StoreError: Redis is unavailable.
    """
    facts = queries.server()
    return {**dataclasses.asdict(facts), "problems": [dataclasses.asdict(problem) for problem in problems_of(facts)]}


def described(facts: ServerFacts) -> dict[str, str]:
    """Return the facts of a server that a page shows, name → words."""
    return {
        "Server": " ".join(filter(None, (facts.product, facts.version))),
        "Role": {None: UNKNOWN, "slave": "replica"}.get(facts.role, facts.role or UNKNOWN),
        "Memory policy": facts.policy or UNKNOWN,
        "Memory": _memory(facts),
        "Evicted keys": UNKNOWN if facts.evicted_keys is None else f"{facts.evicted_keys:,}",
        "Persistence": _persistence(facts),
        "Replicas": UNKNOWN if facts.replicas is None else str(facts.replicas),
    }


def _memory(facts: ServerFacts) -> str:
    if facts.used_memory is None:
        return UNKNOWN
    used = f"{facts.used_memory / 1_000_000:,.0f} MB"
    if facts.maxmemory is None:
        return used
    return f"{used} of {facts.maxmemory / 1_000_000:,.0f} MB" if facts.maxmemory else f"{used}, unlimited"


def _persistence(facts: ServerFacts) -> str:
    if facts.embedded:
        return "none: the embedded Redis is in memory only"
    if facts.aof is None:
        return UNKNOWN
    if facts.aof:
        return f"append-only file, fsync {facts.fsync or UNKNOWN}"
    if facts.save is None:
        return f"no append-only file; snapshots: {UNKNOWN}"
    return f"snapshots ({facts.save})" if facts.save else "none"
