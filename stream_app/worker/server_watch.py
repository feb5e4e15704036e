"""The watch over the Redis server: at the start, every ten seconds, and at once when another server answers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from stream_app.redis_url import read_sentinel_url
from stream_app.retries import GaveUp
from stream_app.settings import Settings
from stream_app.store.connection import UNAVAILABLE
from stream_app.store.server import Problem, ServerFacts, refusal
from stream_app.store.server_check import ServerCheck, StoreLost, complete_with, read_facts
from stream_app.store.writer import Store
from stream_app.worker.health import Health

log = logging.getLogger("headrace.worker")
#: Seconds between two checks, and while the server must not be used or does not answer.
EVERY, SOON = 10.0, 2.0


class ServerWatch:
    """Checks the server of a worker's store while the worker runs; called on each new connection of the store.

    A server that must not be used gets no command of a step: its connections are closed, and new ones are refused
    (``ServerCheck``), so that steps are repeated until it is cured.
    """

    def __init__(self, settings: Settings, health: Health) -> None:
        self._url, self._health = settings.redis.get_secret_value(), health
        sentinel = read_sentinel_url(self._url) is not None
        self._check = ServerCheck(exactly_once=settings.exactly_once, sentinel=sentinel, on_other=self._other)
        self._warned: set[str] = set()
        self._said_unfit, self._asks_options = False, True
        self._again = asyncio.Event()

    def __call__(self, facts: ServerFacts) -> None:
        """Accept the server of a new connection.

        Raises:
            ServerUnfit: it must not be used.
        """
        try:
            self._check(facts)
        finally:
            self._say(facts)

    @property
    def unfit(self) -> bool:
        """True while the server must not be used."""
        return self._check.unfit is not None

    async def facts(self) -> ServerFacts:
        """Ask the server that answers now."""
        facts = await read_facts(self._url, options=self._asks_options)
        self._asks_options = facts.fsync is not None
        return facts

    def admit(self, facts: ServerFacts) -> None:
        """Check a server before the first record.

        Raises:
            GaveUp: the server must not be used.
        """
        if (text := refusal(self._check.judge(facts))) is not None:
            raise GaveUp(text)

    async def run(self, store: Store, on_lost: Callable[[StoreLost], Awaitable[None]]) -> None:
        """Check again and again; ``on_lost`` gets the news that keys of the store were evicted."""
        while True:
            with contextlib.suppress(*UNAVAILABLE):  # the steps say so
                await self._round(store, on_lost)
            try:
                async with asyncio.timeout(SOON if self.unfit or self._health.error else EVERY):
                    await self._again.wait()
            except TimeoutError:
                continue
            self._again.clear()

    async def _round(self, store: Store, on_lost: Callable[[StoreLost], Awaitable[None]]) -> None:
        facts, check = await self.facts(), self._check
        check.complete = check.complete or await store.evictions.last()
        problems = check.judge(facts)
        self._warn(problems)
        self._say(facts)
        before = check.facts
        if self.unfit or (before is not None and facts.run_id not in {None, before.run_id}):
            # Nothing more is sent to this server, or to the one that had its name before.
            await store.reconnect()
        if refusal(problems) is not None:
            return
        try:
            check.complete = await store.evictions.check(facts, check.complete)
        except StoreLost as lost:
            # It is rebuilt now, and complete as of these.
            check.complete = complete_with(facts)
            check.judge(facts)
            self._health.recovered(self)
            self._said_unfit = False
            await on_lost(lost)
            await store.evictions.remember(facts)
        else:
            check.judge(facts)
            self._say(facts)

    def _say(self, facts: ServerFacts) -> None:
        """Say when the server becomes unfit, and when it is cured."""
        text = self._check.unfit
        if text is not None:
            self._health.trouble(self, "", text)
            if not self._said_unfit:
                log.error("%s. Until then nothing is judged", text)
                self._again.set()
        elif self._said_unfit:
            self._health.recovered(self)
            log.warning("%s may be used again; the worker goes on", facts.name)
        self._said_unfit = text is not None

    def _warn(self, problems: list[Problem]) -> None:
        """Log each doubt once, and again when it comes back."""
        doubts = {problem.check: problem.text for problem in problems if problem.severity == "warn"}
        for check in doubts.keys() - self._warned:
            log.warning("%s", doubts[check])
        self._warned = set(doubts)

    def _other(self, facts: ServerFacts, _: ServerFacts) -> None:
        log.warning("%s is another process than before: Redis was restarted, or a replica has become the master", facts.name)
        self._again.set()
