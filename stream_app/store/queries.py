"""The queries of readers: what the workers counted, from a bounded number of keys in a few round trips, as frozen values."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import redis

from stream_app.contract.summary import ContractSummary
from stream_app.counts.fields import CLEAN, REJECTED, REVENUE, SOLD, WARNED, integer, text
from stream_app.counts.samples import CleanRecord, RecentFinding, clean_records, recent_findings
from stream_app.counts.summary import EntityTotals, sales_entity
from stream_app.errors import StoreError
from stream_app.monitor.acts import Act
from stream_app.settings import Settings
from stream_app.store.acts import acts_of
from stream_app.store.cardinality import Cardinalities
from stream_app.store.connection import connect, execute, reading, whole
from stream_app.store.found import FOUND_READ, read_found
from stream_app.store.heartbeat import Heartbeat, alive
from stream_app.store.incidents import Incident, incidents
from stream_app.store.keys import CLEAN_KEPT, FINDINGS_KEPT, INPUT_CLOSED, Keys
from stream_app.store.losses import Loss, losses_of
from stream_app.store.period import PeriodCounts, read_period
from stream_app.store.refusal import refuses_writes
from stream_app.store.reports import ReportStore, StoredReport
from stream_app.store.reread import Reread
from stream_app.store.server import ServerFacts
from stream_app.store.server_check import read_facts_of
from stream_app.store.spans import Starts, Windows, personal_fields, read_starts, read_windows
from stream_app.store.states import EntityState, read_first, read_states
from stream_app.store.usage import Memory, MemoryReader
from stream_app.windows.grain import Grain, Span

#: Contracts that are read once.
CONTRACTS_KEPT = 64


class Announced(NamedTuple):
    """Contracts by entity (the sales entity first), workers that are alive, the newest findings, and lost records."""

    contracts: dict[str, ContractSummary]
    workers: tuple[Heartbeat, ...]
    findings: tuple[RecentFinding, ...]
    losses: tuple[Loss, ...] = ()


class HourlySales(NamedTuple):
    """Clean records of one hour, their revenue in minor units, and those that are orders if the contract tells them apart."""

    clean: int = 0
    revenue_minor: int = 0
    sold: int = 0


class HourlyVerdicts(NamedTuple):
    """Records of one hour by verdict; ``warned``: clean ones with a warning."""

    clean: int = 0
    rejected: int = 0
    warned: int = 0

    @property
    def judged(self) -> int:
        """Records with a verdict."""
        return self.clean + self.rejected


class Monitored(NamedTuple):
    """Where the monitor is with an entity: windows of ``grain`` are judged until ``until`` (s of event time)."""

    grain: Grain
    until: int


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


#: What is kept of one contract is the same object while its text is.
_summary = lru_cache(CONTRACTS_KEPT)(ContractSummary.from_json)


class Queries:
    """Reads what the workers counted. Each method takes a fixed number of round trips, whatever the history.

    Every method raises StoreError when Redis is down or its keys are not ours; the message names host and port,
    never a password. ``now`` returns the wall time in ms, and only decides which workers are alive.
    """

    def __init__(self, client: redis.Redis, prefix: str, now: Callable[[], int] = _now_ms) -> None:
        self._client = client
        self._keys = Keys(prefix)
        self.now = now
        self._asks_options = True
        self._cardinalities = Cardinalities(client, self._keys)
        self._reread = Reread()
        self._memory = MemoryReader(client, prefix, self.contracts)

    def memory(self) -> Memory | None:
        """Return what Redis' memory is used for; ``None`` if this user may not ask. An answer is kept for a minute."""
        return self._memory.read()

    def contracts(self) -> dict[str, ContractSummary]:
        """Return the contracts that workers have announced, entity → summary; empty before the first worker."""
        return self.announced().contracts

    def workers(self) -> tuple[Heartbeat, ...]:
        """Return the heartbeats of the workers that are alive."""
        return self.announced().workers

    def totals(self) -> dict[str, EntityTotals]:
        """Return all-time totals by entity."""
        return {entity: state.totals for entity, state in self.states(self.contracts()).items()}

    def began(self) -> int | None:
        """Return the start (s) of the stream's first window with a clean record; None before the first record."""
        contracts = self.contracts()
        return self.first(contracts, self.states(contracts))

    # --- a range, in the order of its round trips ---------------------------------------------------------------------

    def announced(self, findings: int = 0) -> Announced:
        """Return what workers have announced and lost, and up to ``findings`` of the newest findings; in one round trip."""
        pipe = self._client.pipeline(transaction=False)
        pipe.hgetall(self._keys.contracts())
        pipe.hgetall(self._keys.workers())
        pipe.hvals(self._keys.lost())
        if findings:
            pipe.lrange(self._keys.findings(), 0, findings - 1)
        raw_contracts, raw_workers, raw_losses, *raw_findings = self._execute(pipe)
        return Announced(
            self._contracts(raw_contracts),
            alive(raw_workers, self.now()),
            recent_findings(raw_findings[0]) if raw_findings else (),
            losses_of(raw_losses),
        )

    def refusal(self) -> str | None:
        """Return why Redis refuses writes, and what to do; None if it takes them, or this user may not ask (INFO)."""
        try:
            info: dict[str, Any] = self._client.info()
        except (redis.RedisError, OSError):
            return None
        return refuses_writes(info)

    def input_closed(self) -> bool:
        """True if the producers are done for good."""
        with reading(self._client, self._keys.prefix):
            found: Any = self._client.get(self._keys.input())
        return found is not None and text(found) == INPUT_CLOSED

    def states(self, contracts: Mapping[str, ContractSummary]) -> dict[str, EntityState]:
        """Return entity → state, all as of one moment, in one round trip."""
        return read_states(self._client, self._keys, contracts)

    def first(self, contracts: Mapping[str, ContractSummary], states: Mapping[str, EntityState]) -> int | None:
        """Return the start (s) of the stream, in two round trips (see ``read_first``)."""
        return read_first(self._client, self._keys, contracts, states)

    def starts(
        self, contracts: Mapping[str, ContractSummary], span: Span | None, *, sales: str | None = None, records: int = 0
    ) -> Starts:
        """Return which windows there are, and up to ``records`` of the newest clean records of ``sales``; in one round trip."""
        return read_starts(self._client, self._keys, contracts, span, sales=sales, records=records)

    def windows(
        self,
        contracts: Mapping[str, ContractSummary],
        span: Span,
        starts: Starts,
        *,
        segments: bool = False,
        cuts: Iterable[tuple[int, int]] = (),
    ) -> Windows:
        """Return windows by entity, and by cut the distinct customers and orders that ``starts`` has; in one round trip.

        ``cuts``: (start, end) in seconds; the windows of a cut that are in the span, or in the range before it, are counted
        as one.
        """
        return read_windows(self._cardinalities, self._reread, contracts, span, starts, segments=segments, cuts=cuts)

    def server(self) -> ServerFacts:
        """Return the facts of the Redis server, in one round trip."""
        with reading(self._client, self._keys.prefix):
            facts = read_facts_of(self._client, self._keys.prefix, options=self._asks_options)
        self._asks_options = facts.fsync is not None
        return facts

    # --- newest first -------------------------------------------------------------------------------------------------

    def findings(self, limit: int = FINDINGS_KEPT) -> tuple[RecentFinding, ...]:
        """Return the newest findings, newest first; older ones are in the dead-letter topics only."""
        pipe = self._client.pipeline(transaction=False)
        pipe.lrange(self._keys.findings(), 0, limit - 1)
        return recent_findings(self._execute(pipe)[0])

    def found(
        self, entity: str, rule: str, bounds: tuple[int | None, int | None], limit: int = FOUND_READ
    ) -> tuple[RecentFinding, ...]:
        """Return the newest findings of a rule within ``bounds`` (s of event time, None: open), newest first."""
        contract = self.contracts().get(entity)
        if contract is None:
            return ()
        with reading(self._client, self._keys.prefix):
            return read_found(self._client, self._keys, (entity, contract), rule, bounds, limit)

    def clean(self, entity: str, limit: int = CLEAN_KEPT) -> tuple[CleanRecord, ...]:
        """Return the newest clean records of an entity, newest first, personal fields masked; empty if it is unknown."""
        contract = self.contracts().get(entity)
        if contract is None:
            return ()
        pipe = self._client.pipeline(transaction=False)
        pipe.lrange(self._keys.clean(entity), 0, limit - 1)
        return clean_records(self._execute(pipe)[0], personal_fields(contract))

    def references(self, entity: str, ids: Sequence[str]) -> dict[str, str | bytes]:
        """Return id → what is kept of a clean record of an entity that others refer to, of those that are known."""
        if not ids:
            return {}
        pipe = self._client.pipeline(transaction=False)
        pipe.hmget(self._keys.references(entity), list(ids))
        return {one: raw for one, raw in zip(ids, self._execute(pipe)[0], strict=True) if raw is not None}

    def incidents(
        self, *, since: int | None = None, until: int | None = None, state: str | None = None, limit: int = 200
    ) -> tuple[Incident, ...]:
        """Return the incidents that touch the time from ``since`` up to ``until`` (s of event time), newest first.

        ``state``: only ``open`` or ``closed`` ones. The newest 1,000 are kept.
        """
        pipe = self._client.pipeline(transaction=False)
        pipe.hvals(self._keys.incidents())
        return incidents(self._execute(pipe)[0], since=since, until=until, state=state, limit=limit)

    def acts(self) -> tuple[Act, ...]:
        """Return what people said and did about incidents, oldest first."""
        pipe = self._client.pipeline(transaction=False)
        pipe.hvals(self._keys.incident_acts())
        return acts_of(self._execute(pipe)[0])

    def monitored(self, entities: Sequence[str]) -> dict[str, Monitored]:
        """Return entity → up to where the monitor has judged its windows, in one round trip.

        An entity whose windows it has not judged yet is missing. Of several grains, the one that is furthest counts.
        """
        grains = list(Grain)
        pipe = self._client.pipeline(transaction=False)
        for entity in entities:
            for grain in grains:
                pipe.hget(self._keys.monitor(entity, grain), "at")
        answers = iter(self._execute(pipe) if entities else ())
        found: dict[str, Monitored] = {}
        for entity in entities:
            for grain in grains:
                at = integer(next(answers))
                if at is not None and (entity not in found or at + grain.seconds > found[entity].until):
                    found[entity] = Monitored(grain, at + grain.seconds)
        return found

    # --- periods and reports ------------------------------------------------------------------------------------------

    def period(self, start: int, end: int, called: str = "the period") -> Mapping[str, PeriodCounts]:
        """Return entity → what was counted from ``start`` up to ``end``: epoch seconds of event time, whole minutes.

        ``called``: what an error calls the period.

        Raises:
            ValueError: the period is empty, or longer than a year.
        """
        return read_period(self._cardinalities, self.contracts(), start, end, called)

    def sales_by_hour(self, entity: str, hours: Iterable[int]) -> dict[int, HourlySales]:
        """Return start (s) → what was sold, of those hours that have records; in one round trip."""
        asked = list(hours)
        names = {hour: self._keys.window(entity, Grain.HOUR, hour) for hour in asked}
        pipe = self._client.pipeline(transaction=False)
        for name in names.values():
            pipe.hmget(name, [CLEAN, REVENUE, SOLD])
        found = self._execute(pipe) if asked else []
        return {
            hour: HourlySales(*(whole(names[hour], "a counter", one or 0) for one in row))
            for hour, row in zip(names, found, strict=True)
            if any(row)
        }

    def reports(self, limit: int = 20) -> tuple[StoredReport, ...]:
        """Return the last reports, by the end of their period, newest first."""
        return self._reports().newest(limit)

    def verdicts_by_hour(self, entities: Iterable[str], hours: Iterable[int]) -> dict[tuple[str, int], HourlyVerdicts]:
        """Return (entity, start in s) → verdicts, of those hours that have records; in one round trip."""
        asked = list(hours)
        names = {(entity, hour): self._keys.window(entity, Grain.HOUR, hour) for entity in entities for hour in asked}
        pipe = self._client.pipeline(transaction=False)
        for name in names.values():
            pipe.hmget(name, [CLEAN, REJECTED, WARNED])
        found = self._execute(pipe) if names else []
        return {
            of: HourlyVerdicts(*(whole(names[of], "a counter", one or 0) for one in row))
            for of, row in zip(names, found, strict=True)
            if any(row)
        }

    def report_ids(self) -> tuple[str, ...]:
        """Return the ids of all reports that are kept."""
        return self._reports().ids()

    def report(self, report_id: str) -> StoredReport | None:
        """Return one report; None if there is no report of this id."""
        return self._reports().get(report_id)

    def report_counters(self) -> dict[str, int]:
        """Return what reporters counted.

        ``reports``, ``by_model``, ``by_template``, ``repaired``, ``partial``, ``calls``, ``tokens_in`` and ``tokens_out``;
        ``own_words`` of the models' replies and ``own_kept`` of them; ``why:<reason>`` and ``problem:<code>``.
        """
        return self._reports().counters()

    def _reports(self) -> ReportStore:
        return ReportStore(self._client, self._keys.prefix)

    def _execute(self, pipe: Any) -> list[Any]:
        return execute(self._client, self._keys.prefix, pipe)

    def _contracts(self, raw: Mapping[Any, Any]) -> dict[str, ContractSummary]:
        contracts = {}
        for raw_entity, document in raw.items():
            entity = text(raw_entity)
            try:
                contracts[entity] = _summary(text(document))
            except ValueError as error:
                raise StoreError(
                    f"Redis key {self._keys.contracts()}: entity {entity} holds {error}; restart the workers, which "
                    "write it, or give Headrace a prefix of its own with HEADRACE_REDIS_PREFIX"
                ) from None
        # A hash has no order: the sales entity first, the others by name.
        sales = sales_entity(dict(sorted(contracts.items())))
        return dict(sorted(contracts.items(), key=lambda item: (item[0] != sales, item[0])))


def open_queries(settings: Settings) -> Queries:
    """Return queries on the Redis that the settings name; nothing is sent until something is read."""
    return Queries(connect(settings), settings.redis_prefix)
