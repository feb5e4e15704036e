"""Incidents as pages show them: by cause, the worst of the last day, and one cause in depth."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from stream_app.contract.summary import ContractSummary
from stream_app.counts.fields import Counts
from stream_app.counts.samples import RecentFinding
from stream_app.counts.window import Window
from stream_app.monitor.acts import NEW, Act, Life, life_of_cause
from stream_app.monitor.causes import Cause, cause_of, causes
from stream_app.monitor.incident import Incident
from stream_app.store.cardinality import Cardinality
from stream_app.store.queries import Monitored, Queries
from stream_app.views.older import Wanted
from stream_app.windows.grain import Span

#: Seconds of the stream that the status line looks back.
RECENT = 86_400
#: Seconds that the monitor may be behind the last window that could be final: the default grace of windows, twice.
SLACK = 600
#: Rules whose findings a cause shows that names none.
RULES = 5
#: Windows before and after a cause on its timeline, and the most in all.
BEFORE, AFTER, MOST = 24, 12, 200


@dataclass(frozen=True, slots=True)
class Status:
    """The state of the last 24 hours of the stream.

    Attributes:
        worst: the worst cause that touches them, open or closed; None if there is none.
        causes: how many there are; ``open``: how many of them are open.
        until: end (s) of the last window that the monitor has judged of every entity that it has judged at all; None before
            the first.
        behind: windows before the stream's time are not judged yet, so that nothing can be said of them.
        settled: causes besides, which people have settled.
    """

    worst: Cause | None
    causes: int
    open: int
    until: int | None
    behind: bool
    settled: int = 0


def status_of(
    incidents: Iterable[Incident],
    stream_ms: int | None,
    monitored: Mapping[str, Monitored],
    acts: Sequence[Act] = (),
    entities: Collection[str] = (),
) -> Status:
    """Return the status of the last 24 hours, without what people have settled; pure.

    ``entities``: those with records. The monitor is behind as long as it has judged no window of one of them.
    """
    until = min((one.until for one in monitored.values()), default=None)
    now = (stream_ms or 0) // 1_000
    recent = causes([one for one in incidents if one.state == "open" or one.end > now - RECENT])
    found = [one for one in recent if not life(one, acts).settled]
    # The worst that is open comes before the worst that is over, unless that one was an error.
    first = sorted(found, key=lambda one: (one.severity != "error", not one.is_open))
    behind = (
        until is None
        or not monitored.keys() >= {*entities}
        or any(
            one.until + one.grain.seconds + SLACK < now // one.grain.seconds * one.grain.seconds for one in monitored.values()
        )
    )
    open_ = sum(one.is_open for one in found)
    return Status(first[0] if first else None, len(found), open_, until, behind, len(recent) - len(found))


def life(cause: Cause, acts: Sequence[Act]) -> Life:
    """Return what people have made of a cause."""
    return life_of_cause([one.id for one in cause.all], acts)


@dataclass(frozen=True, slots=True)
class Point:
    """One window of a metric: what was observed, and expected where the monitor has judged it as part of the incident."""

    start: int
    observed: float | None
    expected: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """One value of a segment field: records and share during the cause, and share in the day before."""

    value: str
    records: int
    share: float
    before: float | None


@dataclass(frozen=True, slots=True)
class IncidentView:
    """One cause in depth.

    Attributes:
        asked: the id that was asked for; ``cause`` has it, or is None if no incident has it any more.
        series: the lead's metric over time. ``segment``: the field of ``rows``.
        life: what people said and did about it.
        findings: of its rules and time, newest first; of each rule the newest of each hour and day are kept.
    """

    asked: str
    cause: Cause | None
    contract: ContractSummary | None
    currency: str | None
    series: tuple[Point, ...] = ()
    segment: str | None = None
    rows: tuple[SegmentRow, ...] = ()
    findings: tuple[RecentFinding, ...] = ()
    monitored: Monitored | None = None
    life: Life = NEW


def read_incident(queries: Queries, incident_id: str) -> IncidentView:
    """Read one cause in depth, in six round trips, and three for each of its rules.

    Raises:
        StoreError: Redis is unavailable, or its keys are not Headrace's.
    """
    cause = cause_of(causes(queries.incidents(limit=1_000)), incident_id)
    announced = queries.announced(findings=1_000)
    currency = next((one.currency for one in announced.contracts.values() if one.currency), None)
    if cause is None:
        return IncidentView(incident_id, None, None, currency)
    lead, seconds = cause.lead, cause.lead.grain.seconds
    contract = announced.contracts.get(lead.entity)
    since = cause.start // seconds * seconds - BEFORE * seconds
    until = min(cause.end + AFTER * seconds, since + MOST * seconds)
    windows: tuple[Window, ...] = ()
    if contract is not None:
        known, span = {lead.entity: contract}, Span(lead.grain, since, until)
        by_order = lead.metric == "average_order" and contract.order is not None and not contract.order_unique
        starts = queries.starts(known, span, sales=lead.entity if by_order else None)
        cuts = [(at, at + seconds) for at in range(since, until, seconds)] if by_order else []
        found, distinct = queries.windows(known, span, starts, segments=True, cuts=cuts)
        windows = found[lead.entity]
        if by_order:
            nothing = Cardinality()
            numbers = {at: distinct.get(("orders", at, end), nothing).number for at, end in cuts}
            windows = tuple(replace(one, orders=numbers.get(one.start, 0)) for one in windows)
    field = _segment_field(cause, contract)
    return IncidentView(
        asked=incident_id,
        cause=cause,
        contract=contract,
        currency=currency,
        series=series_of(lead, windows, selects=contract is not None and contract.selects_sales),
        segment=field,
        rows=segments_of(cause, field, windows) if field else (),
        findings=findings_of(cause, windows, contract, announced.findings, partial(_found, queries, cause)),
        monitored=queries.monitored([lead.entity]).get(lead.entity),
        life=life(cause, queries.acts()),
    )


def series_of(lead: Incident, windows: Sequence[Window], *, selects: bool = False) -> tuple[Point, ...]:
    """Return the metric of an incident in each window from the first to the last, with what was expected of it; pure.

    ``selects``: the contract says which records are orders.
    """
    trail = {start: (observed, expected, low, high) for start, observed, expected, low, high in lead.trail}
    counted = {one.start: one for one in windows}
    starts = sorted({*counted, *trail})
    if not starts:
        return ()
    found = []
    for start in range(starts[0], starts[-1] + 1, lead.grain.seconds):
        window = counted.get(start, Window(start, Counts()))
        orders = window.counts.sold if selects else window.counts.clean
        observed = measured(lead, window.counts, orders if window.orders is None else window.orders)
        if start in trail:
            seen, *expected = trail[start]
            # An average may be over the orders of several windows, up to this one.
            own = seen if observed is None or lead.metric == "average_order" else observed
            found.append(Point(start, own, *expected))
        else:
            found.append(Point(start, observed))
    return tuple(found)


def measured(lead: Incident, counts: Counts, orders: int = 0) -> float | None:
    """Return the metric of an incident in one window, in the incident's unit; None where it says nothing.

    ``orders``: of the window, which an average is over.
    """
    kind, _, rest = lead.metric.partition(":")
    clean, rejected = max(0, counts.clean), max(0, counts.rejected)
    judged = clean + rejected
    match kind:
        case "volume":
            return float(max(0, counts.records))
        case "revenue":
            return float(counts.revenue_minor)
        case "average_order":
            return counts.revenue_minor / orders if orders > 0 else None
        case "conformity":
            return clean / judged if judged else None
        case "finding":
            return counts.findings.get(rest, 0) / judged if judged else None
        case "null":
            return min(1.0, counts.nulls.get(rest, 0) / judged) if judged else None
        case "mix" if lead.segment is not None:
            values = counts.segments.get(rest, {})
            everything = sum(max(0, one.received) for one in values.values())
            own = values.get(lead.segment[1])
            return (own.received if own is not None else 0) / everything if everything else None
    return None


def segments_of(cause: Cause, field: str, windows: Sequence[Window], most: int = 12) -> tuple[SegmentRow, ...]:
    """Return the values of a segment field, those first whose share has changed most; pure."""
    during: dict[str, int] = {}
    before: dict[str, int] = {}
    for window in windows:
        into = before if window.start < cause.start else during if window.start < cause.end else None
        if into is not None:
            for value, one in window.counts.segments.get(field, {}).items():
                into[value] = into.get(value, 0) + max(0, one.received)
    now, then = sum(during.values()), sum(before.values())
    rows = [
        SegmentRow(value, during.get(value, 0), during.get(value, 0) / now if now else 0.0,
                   before.get(value, 0) / then if then else None)
        for value in {*during, *before}
    ]  # fmt: skip
    rows.sort(key=lambda row: (-abs(row.share - (row.before or 0.0)), row.value))
    return tuple(rows[:most])


def findings_of(
    cause: Cause,
    windows: Sequence[Window],
    contract: ContractSummary | None,
    recent: Iterable[RecentFinding],
    found: Callable[[str], Iterable[RecentFinding]],
) -> tuple[RecentFinding, ...]:
    """Return the findings of a cause, newest first: among the ``recent`` ones of all rules, and those ``found`` of a rule."""
    rules = rules_of(cause)
    if contract is not None and (not rules or _is_whole(cause)):
        counted: dict[str, int] = {}
        for window in windows:
            if cause.start <= window.start < cause.end:
                for rule, number in window.counts.findings.items():
                    counted[rule] = counted.get(rule, 0) + number
        errors = [rule for rule in counted if rule in contract.rules and contract.rules[rule].severity == "error"]
        rules |= {*sorted(errors, key=lambda rule: (-counted[rule], rule))[:RULES]}
    rows = {(one.source, one.rule): one for rule in sorted(rules) for one in found(rule)}
    rows |= {(one.source, one.rule): one for one in recent}
    return newest_first(matching(cause, rows.values()))


def newest_first(findings: Iterable[RecentFinding]) -> tuple[RecentFinding, ...]:
    """Return findings by event time."""
    return tuple(sorted(findings, key=lambda one: (-(one.event_time or 0), one.source, one.rule)))


def wanted_of(cause: Cause) -> Wanted:
    """Return what to search Kafka for: the findings of a cause, and perhaps others, which ``matching`` leaves out; pure."""
    rules, errors = rules_of(cause), frozenset({"error"})
    whole = Wanted(cause.lead.entity, cause.start, cause.end)
    if not rules:
        return replace(whole, severities=errors)
    return whole if _is_whole(cause) else replace(whole, rules=frozenset(rules))


def with_older(cause: Cause, findings: Sequence[RecentFinding], older: Sequence[RecentFinding]) -> tuple[RecentFinding, ...]:
    """Return the findings of a cause with those that were found in Kafka, newest first; pure."""
    if not older:
        return tuple(findings)
    rows = {(one.source, one.rule): one for one in matching(cause, older)}
    rows |= {(one.source, one.rule): one for one in findings}
    return newest_first(rows.values())


def rules_of(cause: Cause) -> set[str]:
    """Return the rules that a cause is about."""
    return {one.metric.partition(":")[2] for one in cause.all if one.metric.startswith(("finding:", "threshold:"))}


def _is_whole(cause: Cause) -> bool:
    return any(one.metric == "conformity" for one in cause.all)


def _found(queries: Queries, cause: Cause, rule: str) -> tuple[RecentFinding, ...]:
    return queries.found(cause.lead.entity, rule, (cause.start, cause.end))


def matching(cause: Cause, findings: Iterable[RecentFinding]) -> tuple[RecentFinding, ...]:
    """Return the findings of a cause's entity and time; where it is about rules, those of its rules; pure."""
    rules, whole = rules_of(cause), _is_whole(cause)
    return tuple(
        one
        for one in findings
        if one.entity == cause.lead.entity
        and one.event_time is not None
        and cause.start * 1_000 <= one.event_time < cause.end * 1_000
        and (one.rule in rules or ((whole or not rules) and one.severity == "error"))
    )


def _segment_field(cause: Cause, contract: ContractSummary | None) -> str | None:
    found = next((one.segment[0] for one in cause.all if one.segment is not None), None)
    if found is not None or contract is None:
        return found
    return next(iter(contract.segments), None)
