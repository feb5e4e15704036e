"""Watches the windows beside the stream: final windows go through the monitor, incidents to Redis, the topic and people.

One round, in this order:

1. read how far the stream is, and the windows that have become final since the last one looked at;
2. step the monitor (pure);
3. commit state, place, incidents and what is to be told in one script, which changes nothing if another worker was there;
4. send what waits to be told: to the topic, then to people; take it off the list once it is acknowledged.

A worker that dies between any two steps leaves nothing half done: windows count once, and what may be sent twice carries
the same incident id and state. Reading and stepping run in a thread, and take a fraction of a core at the most.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from aiokafka.errors import KafkaError

from stream_app.contract.model import Shop
from stream_app.kafka.producer import Producer
from stream_app.monitor import Change, Monitor, Tuning, Window
from stream_app.monitor.wording import body, title
from stream_app.names import INCIDENT_STATE, anomalies_topic
from stream_app.notify import Level, Notifier
from stream_app.settings import Settings
from stream_app.store.connection import UNAVAILABLE
from stream_app.store.incidents import change_from_json, open_incident_store
from stream_app.windows.grain import Grain
from stream_app.windows.watermark import Watermark

log = logging.getLogger("headrace.worker")
#: Windows of an entity in one round.
ROUND = 48
#: Seconds between two rounds when there is nothing to catch up with; the lead passes on after some of them.
EVERY, LEAD = 1.0, 10.0
#: While catching up, this many times as long as a round took is left to the stream.
_REST = 2.0
#: Changes that are sent to the topic in one go.
_SEND = 100
#: More windows than this without a record (seconds): what lies before is not the history of what comes after.
_HOLE = 14 * 86_400
_LEVELS: dict[str, Level] = {"error": "failure", "warning": "warning"}


class Watch:
    """The windows of all entities, for one thread. ``now`` gives the wall time in seconds."""

    def __init__(self, shop: Shop, settings: Settings, owner: str, now: Callable[[], float] = time.time) -> None:
        self.shop, self.settings, self.owner, self._now = shop, settings, owner, now
        self.grain = Grain.of(settings.anomaly_window)
        tuning = Tuning.of(settings.anomaly_sensitivity)
        self.notifier = Notifier.of(settings.notify)
        self._monitors = {entity: Monitor(contract, self.grain, tuning) for entity, contract in shop.contracts.items()}
        clocked = frozenset(entity for entity, contract in shop.contracts.items() if contract.event_time)
        self._watermark = Watermark(clocked)
        self._more = False
        self._places: dict[str, tuple[int | None, dict[str, Any] | None]] = {}
        self.store = open_incident_store(settings)

    def close(self) -> None:
        """Close the connections."""
        self.store.close()

    def round(self) -> bool:
        """Steps 1 to 3 for every entity, at most ``ROUND`` windows each; whether there are more."""
        if not self._more:
            now_ms = int(self._now() * 1000)
            progress = self.store.progress(list(self._monitors), now_ms)
            self._watermark = self._watermark.advance(progress, now_ms)
        until = self._watermark.final_before(self.grain, self.settings.window_grace)
        self._more = until is not None and any([self._advance(entity, until) for entity in self._monitors])
        return self._more

    def _advance(self, entity: str, until: int) -> bool:
        """Look at the windows of an entity that end by ``until``."""
        if entity not in self._places:
            self._places[entity] = self.store.checkpoint(entity, self.grain)
        at, state = self._places[entity]
        seconds = self.grain.seconds
        since = self._first(entity, until) if at is None else at + seconds
        if since is None or since + seconds > until:
            return False
        upto = min(until, since + ROUND * seconds)
        held = self.store.starts(entity, self.grain, since, upto)
        counts = dict(zip(held, self.store.counts(entity, self.grain, held), strict=True))
        changes: list[Change] = []
        for start in range(since, upto, seconds):
            # 2. Step the monitor.
            state, changed = self._monitors[entity].step(state, Window(start, counts.get(start, {})))
            changes += changed
        # 3. Commit. The state in memory is spent either way: where the commit fails it is read afresh.
        del self._places[entity]
        if self.store.commit(entity, self.grain, at, upto - seconds, state or {}, changes, self._tell):
            self._places[entity] = upto - seconds, state
        return upto < until

    def _first(self, entity: str, until: int) -> int | None:
        """Where an entity's history begins: at its first window after the last long hole."""
        first = before = None
        for start in self.store.starts(entity, self.grain, 0, until):
            if before is None or start - before > _HOLE:
                first = start
            before = start
        return first

    def _tell(self, change: Change) -> bool:
        return bool(self.notifier) and (change.incident.severity == "error" or self.settings.notify_severity == "warning")

    def tell_people(self) -> None:
        """Step 4 for people: what waits, as far as the limit of this hour goes; a backlog becomes one message."""
        if not self.notifier:
            return
        hour, limit = int(self._now() // 3600), self.settings.notify_per_hour
        while waiting := self.store.unsent("people", 1_000):
            left = limit - self.store.messages_sent(hour)
            if left <= 0:
                return
            # The last message of an hour is kept for summing up what comes thick and fast.
            several = waiting[: len(waiting) if len(waiting) > left else 1]
            changes = [change_from_json(one) for one in several]
            # Counted before it is sent: a worker that dies in between sends again, but never beyond the limit.
            self.store.messages_sent(hour, 1)
            if len(changes) == 1:
                self.notifier.send(title(changes[0]), body(changes[0]), level=_level(changes))
            else:
                self.notifier.send(f"Headrace: {len(changes)} changes of incidents", summary(changes), level=_level(changes))
            self.store.remove_sent("people", several)


def summary(changes: list[Change], lines: int = 20) -> str:
    """Many changes in one message: a line each, for so many of them."""
    told = [f"{change.kind}: {title(change)}" for change in changes[:lines]]
    return "\n".join(told + ([f"and {len(changes) - lines} more"] if len(changes) > lines else []))


def _level(changes: list[Change]) -> Level:
    if all(change.kind == "closed" for change in changes):
        return "success"
    return _LEVELS["error" if any(change.incident.severity == "error" for change in changes) else "warning"]


class Monitoring:
    """The background task of a worker. Whatever goes wrong in here is logged once and tried again: the stream goes on."""

    def __init__(self, shop: Shop, settings: Settings, owner: str) -> None:
        self.watch = Watch(shop, settings, owner)
        self.topic = anomalies_topic(settings.topic_prefix)
        self._trouble = ""

    async def run(self, producer: Producer, stopping: Callable[[], bool]) -> None:
        """Rounds until ``stopping``."""
        while not stopping():
            began = time.monotonic()
            pause = EVERY
            try:
                if await asyncio.to_thread(self.watch.store.lead, self.watch.owner, LEAD):
                    more = await asyncio.to_thread(self.watch.round)
                    await self.publish(producer)
                    await asyncio.to_thread(self.watch.tell_people)
                    if more:
                        pause = _REST * (time.monotonic() - began)
                self._trouble = ""
            except (*UNAVAILABLE, KafkaError) as error:
                self._say(f"the windows are not watched while Kafka or Redis is away ({type(error).__name__})", None)
            except Exception as error:
                self._say(f"the windows are not watched ({type(error).__name__})", error)
                pause = 10 * EVERY
            await asyncio.sleep(pause)

    async def publish(self, producer: Producer) -> None:
        """Step 4 for the topic: send what waits, and take it off the list once the broker has acknowledged it."""
        store = self.watch.store
        while waiting := await asyncio.to_thread(store.unsent, "topic", _SEND):
            for text in waiting:
                incident = change_from_json(text).incident
                message = {
                    "topic": self.topic, "key": incident.id.encode(), "value": incident.to_json().encode(),
                    "headers": [(INCIDENT_STATE, incident.state.encode())],
                }  # fmt: skip
                await producer.using(lambda now, message=message: now.send_and_wait(**message))  # type: ignore[misc]
            await asyncio.to_thread(store.remove_sent, "topic", waiting)

    def _say(self, trouble: str, error: BaseException | None) -> None:
        if trouble != self._trouble:
            log.warning("%s", trouble, exc_info=error)
            self._trouble = trouble
