"""Reads the newest findings of a rule in a range: its windows first, then what is kept of them."""

from __future__ import annotations

from itertools import chain

import redis

from stream_app.contract.summary import ContractSummary
from stream_app.counts.found import WINDOWS, Found, found_of
from stream_app.counts.samples import RecentFinding
from stream_app.store.connection import execute
from stream_app.store.keys import Keys
from stream_app.store.states import starts_of

#: Findings of a rule that a page reads.
FOUND_READ = 50


def read_found(
    client: redis.Redis,
    keys: Keys,
    contract: tuple[str, ContractSummary],
    rule: str,
    bounds: tuple[int | None, int | None],
    limit: int,
) -> tuple[RecentFinding, ...]:
    """Return up to ``limit`` findings of a rule within ``bounds`` (s of event time, None: open), newest first.

    ``contract``: the entity and its contract. The newest 20 findings of each hour and each day are kept. So a range that is
    shorter than an hour and lies in a busy hour of the past may have more findings than are returned. In two round trips.
    """
    entity, summary = contract
    since, until = bounds
    pipe = client.pipeline(transaction=False)
    for grain in WINDOWS:
        least = "-inf" if since is None else grain.start(since)
        most = "+inf" if until is None else f"({until}"
        pipe.zrevrangebyscore(keys.found_windows(entity, rule, grain), most, least, start=0, num=limit)
    starts = dict(zip(WINDOWS, execute(client, keys.prefix, pipe), strict=True))
    for grain, raw in starts.items():
        for start in starts_of(keys.found_windows(entity, rule, grain), raw):
            pipe.lrange(keys.found(entity, rule, grain, start), 0, -1)
    answers = execute(client, keys.prefix, pipe) if len(pipe) else []
    by_source = {one.source: one for one in found_of(chain.from_iterable(answers)) if _within(one, since, until)}
    newest = sorted(by_source.values(), key=lambda one: -one.order)[:limit]
    return tuple(_finding(one, entity, rule, summary) for one in newest)


def _within(one: Found, since: int | None, until: int | None) -> bool:
    """A finding without an event time is in every range, as in ``views.selection``."""
    ms = one.event_time
    return ms is None or ((since is None or ms >= since * 1_000) and (until is None or ms < until * 1_000))


def _finding(one: Found, entity: str, rule: str, summary: ContractSummary) -> RecentFinding:
    of = summary.rules.get(rule)
    return RecentFinding(
        entity=entity,
        rule=rule,
        severity=of.severity if of else "",
        dimension=of.dimension if of else "",
        path=of.path if of else "",
        message=of.message if of else "",
        source=one.source,
        event_time=one.event_time,
        segments=one.segments,
        at=one.at,
    )
