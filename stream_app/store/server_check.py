"""The check of the Redis server: at each new connection of a worker, and every half minute while it works."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import redis
import redis.asyncio

from stream_app.counts.fields import integer, text
from stream_app.errors import StoreError
from stream_app.store.connection import address, connect_worker, is_forbidden
from stream_app.store.keys import Keys
from stream_app.store.server import Complete, Problem, ServerFacts, judge, lost_keys, refusal, with_accounted
from stream_app.store.server_info import OPTIONS, facts_of

#: The fields of ``Keys.evictions``.
_EVICTIONS = Complete._fields


class ServerUnfit(redis.ConnectionError):
    """Redis answers, and must not be used as it is; it may be cured while the worker waits, so the step is repeated."""

    passing = True


class StoreLost(StoreError):
    """Redis has evicted keys of the store: what it contains is no longer what was counted."""


class ServerCheck:
    """Decides whether the server may be used; ``on_server`` of the connections of a worker.

    Args:
        on_other: called on a connection to another process than before (a restart or a failover), with its facts and those
            of the process before; it may raise a ``redis.ConnectionError``, and is then called again on the next connection.

    Attributes:
        facts: of the server that was accepted last.
        unfit: why the server must not be used at the moment; None while it may.
        complete: the server when the store was last known to be complete, if it ever was.
    """

    def __init__(
        self,
        *,
        exactly_once: bool = False,
        sentinel: bool = False,
        on_other: Callable[[ServerFacts, ServerFacts], None] | None = None,
    ) -> None:
        self._exactly_once, self._sentinel, self._on_other = exactly_once, sentinel, on_other
        self.facts: ServerFacts | None = None
        self.unfit: str | None = None
        self.complete: Complete | None = None

    def __call__(self, facts: ServerFacts) -> None:
        """Accept a server on a new connection.

        Raises:
            ServerUnfit: the server must not be used.
        """
        if self._sentinel and facts.role == "slave":
            raise ServerUnfit(f"the Sentinels name {facts.address}, which is not the master; a failover takes some seconds")
        self.judge(facts)
        if self.unfit is not None:
            raise ServerUnfit(self.unfit)
        before = self.facts
        if before is not None and before.run_id != facts.run_id and self._on_other is not None:
            self._on_other(facts, before)
        self.facts = facts

    def judge(self, facts: ServerFacts) -> list[Problem]:
        """Return the problems of a server; from then on it is refused if one of them says so."""
        problems = judge(with_accounted(facts, self.complete), exactly_once=self._exactly_once, sentinel=self._sentinel)
        self.unfit = refusal(problems)
        if self.unfit is None and (lost := lost_keys(self.complete, facts, time.time())):
            self.unfit = _incomplete(facts, lost)
        return problems


async def read_facts(url: str, *, options: bool = True) -> ServerFacts:
    """Return the facts of the server, asked on a connection of its own: it leads to the server that has the name now.

    ``options``: ask CONFIG GET, too. Where that is forbidden (``ServerFacts.fsync`` is None then), it need not be asked again:
    Redis logs each attempt.

    Raises:
        redis.RedisError: the server cannot be reached.
    """
    client = connect_worker(url, protocol=2)  # an old server refuses the greeting of another
    try:
        pipe = client.pipeline(transaction=False)
        _ask(pipe, options=options)
        return _facts(client, await pipe.execute(raise_on_error=False))
    finally:
        await client.aclose()


def read_facts_of(client: redis.Redis, prefix: str, *, options: bool = True) -> ServerFacts:
    """Return the facts of the server behind a reader's client, and of the store under a prefix; ``options``: ``read_facts``.

    Raises:
        redis.RedisError: the server cannot be reached.
    """
    pipe = client.pipeline(transaction=False)
    pipe.hmget(Keys(prefix).evictions(), *_EVICTIONS)
    _ask(pipe, options=options)
    complete, *answers = pipe.execute(raise_on_error=False)
    if isinstance(complete, Exception):
        raise complete
    return with_accounted(_facts(client, answers), _complete(*complete))


class EvictionStore:
    """Remembers how many keys a server had evicted when the store was last known to be complete.

    A rebuild deletes the memory with the rest of the store.
    """

    def __init__(self, client: redis.asyncio.Redis, prefix: str) -> None:
        self._redis, self._key = client, Keys(prefix).evictions()

    async def last(self) -> Complete | None:
        """Return the server at the last check, if there was one."""
        return _complete(*await self._redis.hmget(self._key, *_EVICTIONS))

    async def check(self, facts: ServerFacts, known: Complete | None) -> Complete | None:
        """Compare with the last check, and remember this one; None if the server hides its evicted keys.

        ``known``: what this worker knows of the last check, in case the memory itself was evicted.

        Raises:
            StoreLost: keys of the store may have been evicted since.
        """
        before = await self.last() or known
        if lost := lost_keys(before, facts, time.time()):
            raise StoreLost(_incomplete(facts, lost))
        return await self.remember(facts)

    async def remember(self, facts: ServerFacts) -> Complete | None:
        """Note that the store is complete; None if the server hides its evicted keys."""
        complete = complete_with(facts)
        if complete is not None:
            rows: dict[Any, Any] = complete._asdict()
            await self._redis.hset(self._key, mapping=rows)
        return complete


def complete_with(facts: ServerFacts) -> Complete | None:
    """Return that the store is complete with this server, now; None if the server hides its evicted keys."""
    if facts.run_id is None or facts.evicted_keys is None:
        return None
    return Complete(facts.run_id, facts.evicted_keys, int(time.time()))


def _complete(run_id: str | bytes | None, evicted: str | bytes | None, at: str | bytes | None) -> Complete | None:
    keys, moment = integer(evicted), integer(at or 0)
    return None if run_id is None or keys is None or moment is None else Complete(text(run_id), keys, moment)


def _incomplete(facts: ServerFacts, lost: int) -> str:
    return (
        f"{facts.name} has evicted {lost:,} keys since it was last checked: counts are too low and duplicates may pass until "
        "the store is rebuilt from the topics. Set maxmemory-policy to noeviction"
    )


def _ask(pipe: Any, *, options: bool) -> None:
    pipe.execute_command("INFO")
    for option in OPTIONS if options else ():
        pipe.execute_command("CONFIG GET", option)


def _facts(client: Any, answers: list[Any]) -> ServerFacts:
    """The facts from the answers to ``_ask``. Many servers forbid CONFIG, and some users may not even ask INFO."""
    info, *options = answers
    if isinstance(info, Exception) and not is_forbidden(info):
        raise info
    known = {str(name): str(value) for one in options if isinstance(one, dict) for name, value in one.items()}
    return facts_of({} if isinstance(info, Exception) else info, address(client), known)
