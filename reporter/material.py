"""The material of a report: counts of the period and the previous one, contracts, incidents, the pipeline's health."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reporter.periods import Period
from stream_app.contract.summary import ContractSummary
from stream_app.counts.summary import sales_entity
from stream_app.counts.window import Window
from stream_app.errors import StoreError
from stream_app.monitor.acts import Act
from stream_app.monitor.incident import Incident
from stream_app.store.period import PeriodCounts
from stream_app.store.queries import Queries
from stream_app.views.insights import complete
from stream_app.views.pulse import Pulse, read_pulse
from stream_app.views.usual import Usual, read_usual
from stream_app.windows.grain import Grain, Span
from stream_app.windows.zone import UTC, Zone

#: Most windows that a period is cut into.
MOST_OF_PERIOD = 180


@dataclass(frozen=True, slots=True)
class Health:
    """The pipeline when the report was written; ``stream`` is the stream's time in seconds."""

    workers: int
    lag: int | None
    waiting: int
    stream: int | None


@dataclass(frozen=True, slots=True)
class Material:
    """Counts from ``start`` up to ``end``, seconds of event time.

    Attributes:
        contracts: entity → contract, the sales entity first.
        before: counts of the previous period, which is as long; None if the stream does not cover it.
        back: seconds from the period to the previous one; None: the period's length. More if the period is not over, so that
            the morning of a day is compared with the morning before.
        usual: sales that are usual for the weekday and hour.
        windows: entity → all windows of the period, each of ``window_seconds``; none where they do not hold all of its records.
        acts: of people on incidents. ``judged``: up to when (s) every entity's windows are judged for anomalies; None: unknown.
    """

    start: int
    end: int
    contracts: Mapping[str, ContractSummary]
    counts: Mapping[str, PeriodCounts]
    before: Mapping[str, PeriodCounts] | None
    incidents: Sequence[Incident]
    health: Health
    back: int | None = None
    usual: Usual | None = None
    windows: Mapping[str, Sequence[Window]] = field(default_factory=dict)
    window_seconds: int = 3_600
    acts: Sequence[Act] = ()
    judged: int | None = None

    @property
    def previous(self) -> Period:
        """The previous period."""
        return Period(self.start, self.end).earlier(self.back)


def read_material(queries: Queries, period: Period, back: int | None = None, zone: Zone = UTC) -> Material:
    """Read the material of a period's report; ``back`` as in ``Material``, ``zone``: whose hours are compared with the usual.

    Raises:
        StoreError: Redis is unavailable, no worker has announced a contract, or the period's windows have expired.
    """
    pulse = read_pulse(queries)
    if not pulse.contracts:
        raise StoreError("no worker has announced a contract yet; start one with `headrace worker`")
    first = queries.began()
    covered = first is not None and first <= period.earlier(back).start
    counts = queries.period(period.start, period.end)
    windows, seconds = read_windows(queries, pulse.contracts, period, counts)
    return Material(
        start=period.start,
        end=period.end,
        contracts=pulse.contracts,
        counts=counts,
        before=read_before(queries, period, back) if covered else None,
        incidents=queries.incidents(since=period.start, until=period.end),
        health=_health(pulse),
        back=back,
        usual=read_usual(queries, pulse.contracts, sales_entity(pulse.contracts), first, period.start, period.end, zone),
        windows=windows,
        window_seconds=seconds,
        acts=queries.acts(),
        judged=min((one.until for one in queries.monitored(list(pulse.contracts)).values()), default=None),
    )


def read_windows(
    queries: Queries, contracts: Mapping[str, ContractSummary], period: Period, counts: Mapping[str, PeriodCounts]
) -> tuple[dict[str, tuple[Window, ...]], int]:
    """Return the windows of a period by entity, and their seconds: as many as tell hours, or minutes of a short period, apart.

    None for a period that they do not tile. In two round trips.
    """
    grain = next((one for one in Grain if period.length <= MOST_OF_PERIOD * one.seconds), Grain.DAY)
    if period.start % grain.seconds or period.end % grain.seconds or period.start < 0:
        return {}, grain.seconds
    span = Span(grain, period.start, period.end)
    known = {entity: one for entity, one in contracts.items() if entity in counts}
    found = queries.windows(known, span, queries.starts(known, span)).by_entity
    return {entity: complete(found[entity], counts[entity].counts, span) for entity in known}, grain.seconds


def read_before(queries: Queries, period: Period, back: int | None = None) -> Mapping[str, PeriodCounts]:
    """Read the counts of the previous period; ``back`` as in ``Material``."""
    before = period.earlier(back)
    return queries.period(before.start, before.end, called="the previous period")


def _health(pulse: Pulse) -> Health:
    return Health(
        workers=len(pulse.workers),
        lag=pulse.known_lag if pulse.lag else None,
        waiting=pulse.total_waiting,
        stream=None if pulse.stream_ms is None else pulse.stream_ms // 1000,
    )
