"""The read model: what happened, read from a bounded number of keys in a few round trips, as frozen values."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import redis

from stream_app.judge.summary import ContractSummary, EntityTotals, sales_entity, summarise
from stream_app.settings import Settings
from stream_app.store import read_values
from stream_app.store.incidents import Incident, incidents
from stream_app.store.keys import CLEAN_KEPT, FINDINGS_KEPT, Keys
from stream_app.store.read_client import connect
from stream_app.store.read_figures import Cut
from stream_app.store.read_overview import Overview, build
from stream_app.store.read_period import PeriodCounts, read_period
from stream_app.store.read_pulse import Pulse, pulse_of
from stream_app.store.read_quality import QualityView, build_quality
from stream_app.store.read_ranges import Chosen, Span, TimeRange, span_of, suggest_range
from stream_app.store.read_trips import Trips, personal_fields, stream_ms
from stream_app.store.read_values import CleanRecord, RecentFinding, Window, Worker
from stream_app.store.reports import ReportStore, StoredReport


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class ReadModel:
    """Reads what the workers counted. Each method takes a fixed number of round trips, whatever the history.

    Every method raises StoreError when Redis is down or its keys are not ours; the message names host and port,
    never a password. ``now`` gives the wall time in ms, and only decides which workers are alive.
    """

    def __init__(self, client: redis.Redis, prefix: str, now: Callable[[], int] = _now_ms) -> None:
        self._client = client
        self._prefix = prefix
        self._keys = Keys(prefix)
        self._now = now
        self._trips = Trips(client, prefix, now)

    def contracts(self) -> dict[str, ContractSummary]:
        """The contracts that workers have announced, entity → summary; empty before the first worker."""
        return self._trips.start()[0]

    def workers(self) -> tuple[Worker, ...]:
        """The workers that reported within the last 15 s."""
        return self._trips.start()[1]

    def totals(self) -> dict[str, EntityTotals]:
        """All-time totals by entity."""
        return {entity: state.totals for entity, state in self._trips.states(self.contracts()).items()}

    def status(self) -> dict[str, Any]:
        """What ``headrace status --json`` prints.

        ``lag`` of an entity is null while no worker reports it: unknown, which is not the same as caught up.
        """
        contracts, workers, _ = self._trips.start()
        states = self._trips.states(contracts)
        lag = read_values.total_lag(workers)
        return {
            **summarise(contracts, {entity: state.totals for entity, state in states.items()}),
            "freshness": {
                entity: {
                    "event_time": _iso(state.freshness.event_time),
                    "processed_at": _iso(state.freshness.processed_at),
                }
                for entity, state in states.items()
            },
            "lag": {**dict.fromkeys(contracts), **lag},
            "workers": len(workers),
        }

    def suggest_range(self) -> TimeRange:
        """The range that shows most of the stream and still has an equally long one before it."""
        contracts, _, _ = self._trips.start()
        states = self._trips.states(contracts)
        stream = stream_ms(contracts, states)
        first = self._trips.first(contracts, states)
        return TimeRange.LAST_15_MINUTES if stream is None or first is None else suggest_range(first, stream / 1000)

    def pulse(self) -> Pulse:
        """How the pipeline stands, in two round trips, whatever the range."""
        contracts, workers, _ = self._trips.start()
        states = self._trips.states(contracts)
        lag = read_values.total_lag(workers)
        return pulse_of(self._now(), stream_ms(contracts, states), contracts, states, workers, lag)

    def overview(self, chosen: Chosen, *, findings: int = 50, records: int = 25) -> Overview:
        """All that the overview page shows of a range, in six round trips.

        ``findings`` and ``records`` say how many recent ones to read. Ranges end at the stream's time, the window that
        holds it included; the range before is as long.
        """
        contracts, workers, recent = self._trips.start(findings)
        states = self._trips.states(contracts)
        sales = sales_entity(contracts)
        stream = stream_ms(contracts, states)
        first = self._trips.first(contracts, states)
        span: Span | None = None if stream is None else span_of(chosen, first, stream / 1000)
        windows: dict[str, tuple[Window, ...]] = {}
        distinct: dict[Cut, int] = {}
        starts, preview = self._trips.starts(contracts, span, sales=sales, records=records)
        if span is not None:
            windows, distinct = self._trips.windows(contracts, span, starts, sales=sales)
        return build(
            chosen=chosen,
            span=span,
            read_at=self._now(),
            stream_ms=stream,
            first=first,
            contracts=contracts,
            states=states,
            workers=workers,
            lag=read_values.total_lag(workers),
            windows=windows,
            distinct=distinct,
            findings=recent,
            preview=preview,
        )

    def quality(self, chosen: Chosen) -> QualityView:
        """All that the quality page shows of a range, in six round trips; ranges as for ``overview``."""
        contracts, _, _ = self._trips.start()
        states = self._trips.states(contracts)
        stream = stream_ms(contracts, states)
        first = self._trips.first(contracts, states)
        span = None if stream is None else span_of(chosen, first, stream / 1000)
        starts, _ = self._trips.starts(contracts, span)
        windows: dict[str, tuple[Window, ...]] = {}
        if span is not None:
            windows, _ = self._trips.windows(contracts, span, starts, segments=True)
        return build_quality(
            chosen=chosen,
            span=span,
            read_at=self._now(),
            first=first,
            contracts=contracts,
            states=states,
            windows=windows,
        )

    def findings(self, limit: int = FINDINGS_KEPT) -> tuple[RecentFinding, ...]:
        """The newest findings, newest first; older ones are in the dead-letter topics only."""
        pipe = self._client.pipeline(transaction=False)
        pipe.lrange(self._keys.findings(), 0, limit - 1)
        return read_values.recent_findings(self._run(pipe)[0])

    def clean(self, entity: str, limit: int = CLEAN_KEPT) -> tuple[CleanRecord, ...]:
        """The newest clean records of an entity, newest first, personal fields masked; empty for an unknown entity."""
        contract = self.contracts().get(entity)
        if contract is None:
            return ()
        pipe = self._client.pipeline(transaction=False)
        pipe.lrange(self._keys.clean(entity), 0, limit - 1)
        return read_values.clean_records(self._run(pipe)[0], personal_fields(contract))

    def began(self) -> int | None:
        """The start (s) of the stream's first window with a clean record; None before the first record."""
        contracts, _, _ = self._trips.start()
        return self._trips.first(contracts, self._trips.states(contracts))

    def period(self, start: int, end: int, called: str = "the period") -> Mapping[str, PeriodCounts]:
        """Entity → what was counted from ``start`` up to ``end``: epoch seconds of event time, whole minutes.

        ``called``: what an error calls the period.

        Raises:
            ValueError: the period is none, or longer than a year.
        """
        return read_period(self._client, self._keys, self.contracts(), start, end, called)

    def incidents(
        self, *, since: int | None = None, until: int | None = None, state: str | None = None, limit: int = 200
    ) -> tuple[Incident, ...]:
        """Incidents that touch the time from ``since`` up to ``until`` (s of event time), newest first.

        ``state``: only ``open`` or ``closed`` ones. The newest 1,000 are kept.
        """
        pipe = self._client.pipeline(transaction=False)
        pipe.hvals(self._keys.incidents())
        return incidents(self._run(pipe)[0], since=since, until=until, state=state, limit=limit)

    def reports(self, limit: int = 20) -> tuple[StoredReport, ...]:
        """The last executive reports, by the end of their period, newest first."""
        return ReportStore(self._client, self._prefix).newest(limit)

    def report(self, report_id: str) -> StoredReport | None:
        """One report; None when it is not there."""
        return ReportStore(self._client, self._prefix).get(report_id)

    def report_counters(self) -> dict[str, int]:
        """What reporters counted: ``reports``, ``by_model``, ``by_template``, ``repaired``, ``calls``, ``tokens_in`` and
        ``tokens_out``, ``mentions`` and ``grounded`` of the models' first replies, ``why:<reason>``, ``problem:<code>``.
        """
        return ReportStore(self._client, self._prefix).counters()

    def _run(self, pipe: Any) -> list[Any]:
        return self._trips.run(pipe)


def open_read_model(settings: Settings) -> ReadModel:
    """A read model on the Redis that the settings name; nothing is sent until something is read."""
    return ReadModel(connect(settings), settings.redis_prefix)


def _iso(ms: int | None) -> str | None:
    if ms is None:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
