"""The Redis server behind the store: its answers about itself, and which of them break a promise of Headrace; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, NamedTuple

#: The oldest Redis that works: redis-py greets with HELLO 3, and workers and readers may be ACL users.
OLDEST = (6, 0)
#: Share of maxmemory from which on a Redis that does not evict is nearly full.
NEARLY_FULL = 0.9
#: The reason why Redis Cluster is refused.
NO_CLUSTER = (
    "Headrace does not work with Redis Cluster, because one look-up and one apply script a batch touch many keys, and a "
    "cluster runs a script only if all its keys are in one slot. Use a Redis without cluster mode; for high availability, "
    "give it replicas and Sentinels (redis+sentinel://…)"
)
#: Beginning of the policies that evict only keys with an expiry.
_VOLATILE = "volatile-"
#: Seconds by which clocks and checks may differ.
_SLACK = 5

Severity = Literal["refuse", "warn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """Answers of a server about itself; None where it gives none: an old version, a proxy, a user without the right to ask.

    Attributes:
        address: ``host:port`` (or the socket's path) of the connection.
        run_id: differs after each start of the process, and between servers; ``uptime``: seconds since its start.
        product: ``Redis``, ``Valkey``, ``KeyDB`` or ``Dragonfly``; ``version`` is the product's own.
        redis_version: the Redis whose commands it speaks.
        role: ``master`` or ``slave``, or another one of another product.
        embedded: the Redis of ``headrace demo``, which is in memory only.
        maxmemory: bytes; 0: unlimited. ``used_memory``: bytes.
        evicted_keys: keys evicted since the process started; ``accounted``: those of them before the store was last known to
            be complete.
        aof: every write goes to an append-only file; ``fsync``: ``always``, ``everysec`` or ``no``.
        save: the save points of snapshots, empty for none.
        saved: the last snapshot and the last writes of the append-only file succeeded.
        replicas: connected ones; ``min_replicas``: fewer than these, and it refuses writes.
    """

    address: str = ""
    run_id: str | None = None
    uptime: int | None = None
    product: str = "Redis"
    version: str | None = None
    redis_version: str | None = None
    role: str | None = None
    cluster: bool | None = None
    embedded: bool = False
    loading: bool = False
    maxmemory: int | None = None
    policy: str | None = None
    used_memory: int | None = None
    evicted_keys: int | None = None
    accounted: int | None = None
    aof: bool | None = None
    fsync: str | None = None
    save: str | None = None
    saved: bool | None = None
    replicas: int | None = None
    min_replicas: int | None = None

    @property
    def persistent(self) -> bool | None:
        """True if anything is written to disk."""
        if self.aof:
            return True
        return None if self.aof is None or self.save is None else bool(self.save)

    @property
    def used(self) -> float | None:
        """The share of maxmemory that is used; None without a limit."""
        return self.used_memory / self.maxmemory if self.maxmemory and self.used_memory is not None else None

    @property
    def name(self) -> str:
        """Product, version and address."""
        return " ".join(filter(None, (self.product, self.version, self.address and f"at {self.address}")))


@dataclass(frozen=True, slots=True)
class Problem:
    """A check that a server does not pass; the text says what it costs and what to do."""

    check: str
    severity: Severity
    text: str


def judge(facts: ServerFacts, *, exactly_once: bool = False, sentinel: bool = False) -> list[Problem]:
    """Return what is wrong with a server, reasons to refuse it first.

    Args:
        exactly_once: records are delivered in transactions, and their notes in Redis have an expiry.
        sentinel: the server was found by Sentinels.
    """
    fields = {
        name: getattr(facts, name)
        for name in ("role", "policy", "evicted_keys", "used", "maxmemory", "replicas", "min_replicas")
    }
    texts = {**REFUSED, **WARNED}
    return [
        Problem(check, "refuse" if check in REFUSED else "warn", f"{facts.name}: {texts[check].format_map(fields)}")
        for check in _failed(facts, exactly_once=exactly_once, sentinel=sentinel)
    ]


def refusal(problems: Iterable[Problem]) -> str | None:
    """Return the first reason to refuse the server; None if there is none."""
    return next((problem.text for problem in problems if problem.severity == "refuse"), None)


def evicts_anything(facts: ServerFacts) -> bool:
    """True if a full memory costs keys without an expiry: ``allkeys-*``, or a policy of another product."""
    policy = facts.policy
    return policy is not None and policy != "noeviction" and not policy.startswith(_VOLATILE)


class Complete(NamedTuple):
    """The server when the store was last known to be complete: the process, its evicted keys, and the time (epoch seconds)."""

    run_id: str
    evicted: int
    at: int


def with_accounted(facts: ServerFacts, complete: Complete | None) -> ServerFacts:
    """Return the facts with what is known of the store."""
    same = complete is not None and complete.run_id == facts.run_id
    return replace(facts, accounted=complete.evicted) if complete is not None and same else facts


def lost_keys(before: Complete | None, facts: ServerFacts, now: float) -> int:
    """Return how many keys were evicted since ``before`` that may be keys of the store.

    ``volatile-*`` evicts none that counts depend on. A process that ran already then was a replica, which evicts nothing: what
    it has evicted is from before.
    """
    if before is None or facts.evicted_keys is None or facts.run_id is None or (facts.policy or "").startswith(_VOLATILE):
        return 0
    if facts.run_id == before.run_id:
        return max(0, facts.evicted_keys - before.evicted)
    ran = facts.uptime is not None and facts.uptime > now - before.at + _SLACK
    return 0 if ran else facts.evicted_keys


#: Check → why a server that does not pass it is refused; the names in braces are facts.
REFUSED: Mapping[str, str] = MappingProxyType(
    {
        "cluster": f"it runs in cluster mode. {NO_CLUSTER}",
        "replica": (
            "it is a replica (role {role}) and takes no writes. Let HEADRACE_REDIS name the master, or the Sentinels that "
            "know it (redis+sentinel://…)"
        ),
        "old": f"Headrace needs Redis {OLDEST[0]}.{OLDEST[1]} or later; upgrade it",
        "evicts": (
            "maxmemory-policy is {policy}: when the memory is full, Redis deletes windows, references and order keys, so "
            "counts are no longer exact and duplicates pass. Set maxmemory-policy to noeviction"
        ),
        "evicts-notes": (
            "maxmemory-policy is {policy}: when the memory is full, Redis deletes the notes of transactions, which have "
            "an expiry, and a record could be delivered twice. Set maxmemory-policy to noeviction, or "
            "HEADRACE_EXACTLY_ONCE to off"
        ),
    }
)
#: Check → what a server that does not pass it costs.
WARNED: Mapping[str, str] = MappingProxyType(
    {
        "evicts-claims": (
            "maxmemory-policy is {policy}: when the memory is full, Redis deletes keys with an expiry, such as the daily "
            "budget and the claims of reporters. Counts stay exact. Set maxmemory-policy to noeviction"
        ),
        "evicted": (
            "it has evicted {evicted_keys:,} keys since it started, by an earlier maxmemory-policy: if keys of Headrace "
            "were among them, counts are too low. Unless the store is newer than that, rebuild it (headrace rebuild)"
        ),
        "full": (
            "{used:.0%} of maxmemory ({maxmemory:,} bytes) are used: a full Redis refuses writes, and workers wait until "
            "there is room. Raise maxmemory"
        ),
        "in-memory": (
            "nothing is written to disk (appendonly no, no save points): a restart empties the store, and it is rebuilt "
            "from the topics, without what their retention has deleted. Set appendonly to yes"
        ),
        "fsync": (
            "appendfsync is off (no): a power cut costs about the last 30 s of counts, which are then read again from the "
            "topics. Set appendfsync to everysec or always"
        ),
        "unsaved": "its last write to disk failed; look into its log and at the free space of its disk",
        "few-replicas": (
            "min-replicas-to-write is {min_replicas}, and {replicas} replicas are connected: Redis refuses writes, and "
            "workers wait. Start the replicas"
        ),
        "no-replica": "no replica is connected, so the Sentinels cannot fail over. Start the replicas",
        "unknown": (
            "its user may not run INFO, so memory policy, role, cluster mode and evictions cannot be checked; grant it +info"
        ),
        "untested": (
            "Headrace is not tested with Dragonfly, which runs its scripts only with --default_lua_flags=allow-undeclared-keys"
        ),
    }
)


def _failed(facts: ServerFacts, *, exactly_once: bool, sentinel: bool) -> Iterator[str]:
    """The checks that a server does not pass."""
    version = _numbers(facts.redis_version)
    volatile = (facts.policy or "").startswith(_VOLATILE) and facts.maxmemory != 0
    replicas = facts.replicas
    few = replicas is not None and facts.min_replicas is not None and replicas < facts.min_replicas
    failed = {
        "cluster": facts.cluster,
        # Sentinels name another one in a moment.
        "replica": facts.role is not None and facts.role != "master" and not (sentinel and facts.role == "slave"),
        "old": version is not None and version < OLDEST,
        "evicts": evicts_anything(facts),
        "evicts-notes": volatile and exactly_once,
        "evicts-claims": volatile and not exactly_once,
        "evicted": facts.policy == "noeviction" and facts.evicted_keys and facts.evicted_keys != facts.accounted,
        "full": facts.used is not None and facts.used >= NEARLY_FULL,
        # The embedded Redis is in memory only, by design.
        # While it loads its log, Redis says that it has none.
        "in-memory": facts.persistent is False and not facts.embedded and not facts.loading,
        "fsync": facts.aof and facts.fsync == "no",
        "unsaved": facts.saved is False,
        "few-replicas": few,
        "no-replica": sentinel and facts.role == "master" and replicas == 0 and not few,
        "unknown": facts.run_id is None,
        "untested": facts.product == "Dragonfly",
    }
    return (check for check in (*REFUSED, *WARNED) if failed[check])


def _numbers(version: str | None) -> tuple[int, ...] | None:
    """The leading numbers of a version: ``7.0.15`` → (7, 0, 15); None if it begins with none."""
    numbers: list[int] = []
    for part in (version or "").split("."):
        if not part.isdecimal():
            break
        numbers.append(int(part))
    return tuple(numbers) or None
