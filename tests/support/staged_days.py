"""Days of the simulated shop on which one incident is staged: judged, counted and monitored in memory, as a report's material.

Nothing is put: the simulator sends, the judge judges, the tally counts and the monitor finds what it finds.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

from headrace.check.check import Check
from producers.simulator.schedule import parse_schedule
from producers.simulator.simulator import Simulation
from reporter.material import Health, Material
from stream_app.contract import load_shop
from stream_app.contract.summary import describe, order_is_unique
from stream_app.counts.fields import add, parse
from stream_app.counts.tally import Tally
from stream_app.counts.window import Window, windows_of
from stream_app.monitor.incident import Incident
from stream_app.monitor.monitor import Monitor
from stream_app.monitor.state import State
from stream_app.store.period import PeriodCounts
from stream_app.windows.grain import Grain

#: Monday, 2026-01-05T00:00:00Z, and the number of the day that the report is about: a Thursday of the third week.
BEGAN = 1_767_571_200
DAY, HOUR = 86_400, 3_600
STAGED_DAY = 17


@dataclass(frozen=True)
class StagedDay:
    """The material of the report about one day, all incidents of the stream, and its windows by entity."""

    material: Material
    incidents: tuple[Incident, ...]
    hours: Mapping[str, tuple[Window, ...]]


@cache
def staged_day(incident: str, *, hours: int = 24, per_hour: int = 120, faults: float = 0.01, seed: int = 7) -> StagedDay:
    """Simulate up to the end of the staged day; ``incident``: such as ``outage@17d9h+6h``; empty: a quiet day.

    ``hours``: of that day that the stream has reached.
    """
    until = BEGAN + STAGED_DAY * DAY + hours * HOUR
    count = per_hour * 24 * (STAGED_DAY + 1)
    plain = Simulation(seed=seed, start_ms=BEGAN * 1_000, per_second=per_hour / 3_600, count=count, faults=faults)
    found = parse_schedule(incident, seed=seed, start_ms=BEGAN * 1_000, span_ms=plain.span_ms) if incident else ()
    shop = load_shop(None)
    check = Check(shop, now_ms=BEGAN * 1_000, max_bytes=256 * 1_024)
    events = itertools.takewhile(lambda event: event.at_ms < until * 1_000, replace(plain, incidents=found).events())
    while piece := list(itertools.islice(events, 500)):
        check.judge(event.record for event in piece)
    check.finish()
    tallies = {entity: state.tally for entity, state in check.entities.items()}
    windows = {entity: tuple(windows_of(one.minutes, Grain.HOUR, BEGAN, until)) for entity, one in tallies.items()}
    newest: dict[str, Incident] = {}
    for entity, contract in shop.contracts.items():
        monitor = Monitor(contract, Grain.HOUR)
        state: State | None = None
        for window in windows[entity]:
            state, changes = monitor.step(state, window)
            newest |= {change.incident.id: change.incident for change in changes}
    start = BEGAN + STAGED_DAY * DAY
    summaries = {entity: describe(contract) for entity, contract in shop.contracts.items()}
    ordered = {"orders": summaries["orders"]} | summaries
    incidents = tuple(one for one in newest.values() if one.end > start)
    material = Material(
        start=start,
        end=until,
        contracts=ordered,
        counts={entity: _period(tallies[entity], start, until) for entity in ordered},
        before={entity: _period(tallies[entity], start - 7 * DAY, until - 7 * DAY) for entity in ordered},
        incidents=incidents,
        health=Health(workers=1, lag=0, waiting=0, stream=until + 600),
        back=7 * DAY,
        judged=until,
        windows={entity: tuple(one for one in found if one.start >= start) for entity, found in windows.items()},
    )
    return StagedDay(material, tuple(newest.values()), windows)


def _period(tally: Tally, start: int, end: int) -> PeriodCounts:
    minutes = range(start // 60, end // 60)
    counts = add(parse(tally.minutes[minute]) for minute in minutes if minute in tally.minutes)
    customers: set[str] = set().union(*(tally.customers.get(minute, ()) for minute in minutes))
    orders: set[str] = set().union(*(tally.orders.get(minute, ()) for minute in minutes))
    return PeriodCounts(counts, len(customers), counts.clean if order_is_unique(tally.contract) else len(orders))
