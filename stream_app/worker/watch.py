"""The monitor beside the stream: final windows become incidents in Redis, on the anomalies topic, and in messages to people.

One round, of the worker that has the lease:

1. read how far the stream is, and up to where windows are final;
2. read each entity's final windows after its checkpoint, and step the monitor through them (pure);
3. commit state, checkpoint, incidents and unsent changes in one script, which changes nothing if another worker was first;
4. publish the unsent changes on the topic, and remove them once the broker has acknowledged them;
5. notify people of theirs, up to the limit of the hour, and remove them.

A store that was restored gets its incidents back first, from the topic. Then the monitor steps through the windows again, for
its state; what the topic has of their changes is not sent again.

A worker that dies between two steps leaves nothing half done: windows count once, and a change that is sent twice has the
same incident id and state. Reading and stepping run in a thread, and take a fraction of a core at most.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from aiokafka.errors import KafkaError
from msgspec.structs import replace

from stream_app.contract.model import Shop
from stream_app.contract.planned import read_planned
from stream_app.failures import classify, name_of
from stream_app.kafka.producer import Producer
from stream_app.monitor import Change, Monitor, State, Tuning
from stream_app.monitor.acts import Act, muted, tuned
from stream_app.monitor.causes import cause_of, causes
from stream_app.monitor.incident import Incident
from stream_app.monitor.wording import body, title
from stream_app.names import INCIDENT_STATE, anomalies_topic
from stream_app.notify import Level, Notifier
from stream_app.settings import Settings
from stream_app.store.connection import UNAVAILABLE
from stream_app.store.incidents import Checkpoint, open_incident_store
from stream_app.store.ownership import READY
from stream_app.windows.calendar import Clock
from stream_app.windows.grain import Grain
from stream_app.windows.watermark import Watermark
from stream_app.worker.announced import Announced, read_acts, read_announced
from stream_app.worker.health import Health

log = logging.getLogger("headrace.worker")
#: Most windows of an entity in one round.
ROUND = 48
#: Seconds between two rounds while there is nothing to catch up with, and after an unexpected error.
EVERY, AFTER_ERROR = 1.0, 10.0
#: Seconds after which another worker takes the lease of one that is silent.
LEASE = 10.0
#: While the monitor catches up, it pauses this many times as long as a round took: the stream comes first.
_REST = 2.0
#: Most changes that are published or summed up at once.
_PUBLISHED, _NOTIFIED = 100, 1_000
#: Lines of a message about many changes.
_LINES = 20
#: Seconds without a record after which the history of an entity begins anew.
_HOLE = 14 * 86_400
#: Seconds ahead of stream and clock from which a checkpoint is astray.
_ASTRAY = 2 * 86_400
#: Milliseconds after which acts are read though their number is as before.
_ACTS_FOR = 300_000
_LEVELS: dict[str, Level] = {"error": "failure", "warning": "warning"}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Watch:
    """Steps 1 to 3 and 5, for one thread."""

    def __init__(self, shop: Shop, settings: Settings, owner: str, clock: Clock = _now_ms) -> None:
        self.settings, self.owner, self._clock = settings, owner, clock
        self.grain = Grain.of(settings.anomaly_window)
        self._tuning = tuning = Tuning.of(settings.anomaly_sensitivity)
        self.notifier = Notifier.of(settings.notify)
        self._planned = planned = read_planned(settings.calendar)
        self._monitors = {entity: Monitor(contract, self.grain, tuning, planned) for entity, contract in shop.contracts.items()}
        #: What people said about incidents; how many acts that was, and when it was read (ms, wall clock).
        self._acts: tuple[Act, ...] = ()
        self._acts_read: tuple[int, int] | None = None
        self._currency = shop.currency
        self._watermark = Watermark(frozenset(entity for entity, contract in shop.contracts.items() if contract.event_time))
        self._checkpoints: dict[str, Checkpoint] = {}
        #: Entity → up to when (s) changes were announced before the store was restored.
        self._announced: Mapping[str, int] = {}
        #: True while final windows are left over from the last round.
        self._more = False
        self.store = open_incident_store(settings)

    def close(self) -> None:
        """Close the connections."""
        self.store.close()

    def lead(self) -> bool:
        """Take or renew the lease; False while another worker has it."""
        return self.store.lead(self.owner, LEASE)

    def epoch(self) -> int:
        """Return the epoch of the store; 0 until it is level with the log."""
        state = self.store.state()
        return state.epoch if state.state == READY else 0

    def adopt(self, epoch: int) -> bool:
        """Work in an epoch of the store from now on; False: its incidents are to be restored first."""
        announced = self.store.announced(list(self._monitors), self.grain, epoch)
        if announced is None:
            return False
        self.store.epoch, self._announced, self._more = epoch, announced, False
        self._acts_read = None
        self._checkpoints.clear()
        return True

    def restore(self, found: Announced, epoch: int) -> None:
        """Put the incidents of the topic into the store, unless another epoch has begun."""
        now_ms = self._clock()
        event = self.store.progress(list(self._monitors), now_ms).event
        reached = {entity: event.get(entity, 0) // 1000 for entity in self._monitors}
        latest = max(now_ms // 1000, *reached.values()) + _ASTRAY
        until = found.until(reached, self.grain, latest)
        if self.store.restore(list(found.newest.values()), until, self.grain, epoch) and found.newest:
            log.warning("%d incidents are restored from the topic", len(found.newest))

    def round(self) -> bool:
        """Steps 1 to 3 for every entity, at most ``ROUND`` windows each; True if more are final."""
        self._read_acts()
        # 1. Read how far the stream is.
        if not self._more:
            now_ms = self._clock()
            self._watermark = self._watermark.advance(self.store.progress(list(self._monitors), now_ms), now_ms)
        until = self._watermark.final_before(self.grain, self.settings.window_grace)
        # A list, not a generator: every entity advances.
        self._more = until is not None and any([self._advance(entity, until) for entity in self._monitors])  # noqa: C419
        return self._more

    def _read_acts(self) -> None:
        """Read what people said if there is more than before. Now and then it is read anyhow, and what is too old expires."""
        number, now_ms = self.store.number_of_acts(), self._clock()
        if self._acts_read is not None and self._acts_read[0] == number and 0 <= now_ms - self._acts_read[1] < _ACTS_FOR:
            return
        self._acts, gone = self.store.acts(now_ms)
        # An act that came after the number was read makes it another one in the next round.
        self._acts_read = number - gone, now_ms

    def _advance(self, entity: str, until: int) -> bool:
        """Steps 2 and 3 for an entity's windows that end by ``until``; True if more are final."""
        if entity not in self._checkpoints:
            self._checkpoints[entity] = self.store.checkpoint(entity, self.grain)
        before, state = self._checkpoints[entity]
        seconds = self.grain.seconds
        if before is not None and self._is_astray(before, until):
            log.warning("%s: the monitor was at windows of the future; it begins again at the stream's time", entity)
            since, state = self._first(entity, until), None
        else:
            since = self._first(entity, until) if before is None else before + seconds
        if since is None or since + seconds > until:
            return False
        upto = min(until, since + ROUND * seconds)
        # 2. Step the monitor, which takes the state over: if the commit fails, the checkpoint is read again.
        del self._checkpoints[entity]
        changes: list[Change] = []
        orders = self._monitors[entity].parts.distinct_orders
        for window in self.store.windows(entity, self.grain, since, upto, orders=orders):
            state, changed = self._monitor(entity, window.start).step(state, window)
            changes += changed
        if state is None:
            return False
        if (before or 0) + seconds <= self._announced.get(entity, 0) < upto:
            changes += self._left_open(entity, state, upto)
        # 3. Commit.
        after = Checkpoint(upto - seconds, state)
        if self.store.commit(entity, self.grain, before, after, changes, self.is_for_people):
            self._checkpoints[entity] = after
        return upto < until

    def _monitor(self, entity: str, start: int) -> Monitor:
        """The monitor of an entity, as sensitive as false alarms before this window leave it."""
        monitor = self._monitors[entity]
        wanted = tuned(self._tuning, self._acts, entity, start)
        if wanted != monitor.parts.tuning:
            monitor = self._monitors[entity] = Monitor(monitor.contract, self.grain, wanted, self._planned)
        return monitor

    def _left_open(self, entity: str, state: State, at: int) -> list[Change]:
        """Close restored incidents that the monitor, at the end of the windows it knew before, does not have open any more.

        Windows may have changed since, by late records, or be gone.
        """
        going_on = {track.episode.incident.id for track in state.tracks.values() if track.episode and track.episode.incident}
        return [
            Change("closed", replace(one, state="closed", updated=at, outcome="recovered"))
            for one in self.store.open_incidents(entity, self.grain)
            if one.id not in going_on
        ]

    def _is_astray(self, window: int, until: int) -> bool:
        """True if a checkpoint is ahead of the stream and of the clock for good.

        Versions whose stream's time was the largest event time left one there after a single record of another year.
        """
        progress = self._watermark.progress
        read = progress is not None and progress.caught_up and progress.behind is None
        return read and window > until + _ASTRAY and window > self._clock() / 1000 + _ASTRAY

    def _first(self, entity: str, until: int) -> int | None:
        """The start of an entity's history: its first window after the last long hole."""
        first = before = None
        for start in self.store.starts(entity, self.grain, 0, until):
            if before is None or start - before > _HOLE:
                first = start
            before = start
        return first

    def is_for_people(self, change: Change) -> bool:
        """True if people are to be notified of a change with this severity, and nobody has muted it."""
        one = change.incident
        severe = one.severity == "error" or self.settings.notify_severity == "warning"
        return bool(self.notifier) and severe and not self._is_muted(one)

    def _is_muted(self, incident: Incident) -> bool:
        """True if somebody has muted its metric, or its cause, which it may have joined since."""
        lives = muted(self._acts, incident.entity, self._clock() // 1_000)
        if not lives or any(incident.metric in life.metrics for life in lives):
            return bool(lives)
        known = [one for one in self.store.open_incidents(incident.entity, incident.grain) if one.id != incident.id]
        cause = cause_of(causes([*known, incident]), incident.id)
        ids = {one.id for one in cause.all} if cause is not None else set()
        return any(not ids.isdisjoint(life.incidents) for life in lives)

    def notify(self) -> None:
        """Step 5: send people their unsent changes, as far as the limit of this hour goes; a backlog becomes one message."""
        if not self.notifier:
            return
        hour, limit = self._clock() // 3_600_000, self.settings.notify_per_hour
        while unsent := self.store.unsent("people", _NOTIFIED):
            left = limit - self.store.messages_sent(hour)
            if left <= 0:
                return
            # The last message of an hour is kept for a digest of what exceeds the limit.
            texts = unsent if len(unsent) > left else unsent[:1]
            changes = [Change.from_json(text) for text in texts]
            # Counted before it is sent: a worker that dies in between sends again, but never more than the limit.
            self.store.messages_sent(hour, 1)
            if len(changes) == 1:
                self.notifier.send(title(changes[0]), body(changes[0], self._currency), level=_level(changes))
            else:
                self.notifier.send(f"Headrace: {len(changes)} changes of incidents", digest(changes), level=_level(changes))
            self.store.remove_sent("people", texts)


def digest(changes: list[Change]) -> str:
    """Return many changes as one message, a line each, up to a number of lines."""
    lines = [f"{change.kind}: {title(change)}" for change in changes[:_LINES]]
    return "\n".join([*lines, f"and {len(changes) - _LINES} more"] if len(changes) > _LINES else lines)


def _level(changes: list[Change]) -> Level:
    if all(change.kind == "closed" for change in changes):
        return "success"
    return _LEVELS["error" if any(change.incident.severity == "error" for change in changes) else "warning"]


class Monitoring:
    """The background task of a worker. A failing round is logged once and tried again: the stream goes on.

    ``health`` gets what does not work, by step: a topic that refuses incidents does not keep them from people.
    """

    def __init__(self, shop: Shop, settings: Settings, owner: str, health: Health | None = None) -> None:
        self.watch = Watch(shop, settings, owner)
        self.topic = anomalies_topic(settings.topic_prefix)
        self._health = health
        self._problems: dict[str, str] = {}

    async def run(self, producer: Producer, stopping: Callable[[], bool], *, waits: Callable[[], bool] = lambda: False) -> None:
        """Run rounds until ``stopping``, except while the stream ``waits``."""
        while not stopping():
            began = time.monotonic()
            pause = EVERY
            try:
                if not waits() and await asyncio.to_thread(self.watch.lead) and await self._round(producer):
                    pause = _REST * (time.monotonic() - began)
                self._works("round")
            except (*UNAVAILABLE, KafkaError) as error:
                self._fails("round", f"the monitor waits ({name_of(error)}: {classify(error).text})")
                pause = AFTER_ERROR if classify(error).permanent else EVERY
            except Exception as error:  # noqa: BLE001 - the stream goes on without the monitor
                self._fails("round", f"the monitor failed and tries again ({type(error).__name__})", error)
                pause = AFTER_ERROR
            await asyncio.sleep(pause)

    async def _round(self, producer: Producer) -> bool:
        """One round; True if more windows are final."""
        if not await self._restored(producer):
            return False
        # 1. to 3. Read progress, step the monitor, commit.
        more = await asyncio.to_thread(self.watch.round)
        # 4. Publish.
        try:
            await self._publish(producer)
            self._works("topic")
        except (KafkaError, OSError) as error:
            self._fails("topic", f"incidents wait for topic {self.topic} ({name_of(error)}: {classify(error).text})")
        # 5. Notify people.
        await asyncio.to_thread(self.watch.notify)
        return more

    async def _restored(self, producer: Producer) -> bool:
        """Restore the incidents of a new epoch of the store; False while it is not level with the log."""
        watch = self.watch
        epoch = await asyncio.to_thread(watch.epoch)
        if not epoch or epoch == watch.store.epoch:
            return bool(epoch)
        # Acts first: they decide how sensitive the monitor is.
        await asyncio.to_thread(watch.store.put_acts, await read_acts(watch.settings))
        if await asyncio.to_thread(watch.adopt, epoch):
            return True
        found = await read_announced(watch.settings, producer, self.topic)
        await asyncio.to_thread(watch.restore, found, epoch)
        return await asyncio.to_thread(watch.adopt, epoch)

    async def _publish(self, producer: Producer) -> None:
        store = self.watch.store
        while unsent := await asyncio.to_thread(store.unsent, "topic", _PUBLISHED):
            for text in unsent:
                incident = Change.from_json(text).incident
                message = {
                    "topic": self.topic, "key": incident.id.encode(), "value": incident.to_json().encode(),
                    "headers": [(INCIDENT_STATE, incident.state.encode())],
                }  # fmt: skip
                await producer.using(lambda current, message=message: current.send_and_wait(**message))  # type: ignore[misc]
            await asyncio.to_thread(store.remove_sent, "topic", unsent)

    def _fails(self, step: str, problem: str, error: BaseException | None = None) -> None:
        if problem != self._problems.get(step):
            log.warning("%s", problem, exc_info=error)
            self._problems[step] = problem
        if self._health is not None:
            self._health.trouble((self, step), "monitor", problem, beside=True)

    def _works(self, step: str) -> None:
        if self._problems.pop(step, None) is not None:
            log.warning("the monitor goes on")
        if self._health is not None:
            self._health.recovered((self, step))
