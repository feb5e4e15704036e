"""The state of each entity: totals, freshness, what waits, which days there are; and the stream's time and beginning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import redis
import redis.exceptions

from stream_app.contract.summary import ContractSummary
from stream_app.counts.fields import APPLIED_AT, CLEAN, EVENT_TIME, Counts, Distinct, text
from stream_app.counts.summary import EntityTotals, orders_of
from stream_app.store.connection import execute, parsed, reading, whole
from stream_app.store.keys import Keys
from stream_app.windows.as_of import is_shown
from stream_app.windows.grain import MOST_WINDOWS, Grain
from stream_app.windows.watermark import stream_time

#: Days with a smaller share of the busiest day's clean records do not begin the stream.
_STRAY = 0.005


@dataclass(frozen=True, slots=True)
class Freshness:
    """How fresh an entity's counts are, in ms since the epoch; None before the first record, and if it cannot be shown.

    ``event_time``: what its furthest partition has reached; ``processed_at``: the wall time of the last batch.
    """

    event_time: int | None = None
    processed_at: int | None = None

    @classmethod
    def of(cls, key: str, raw: Mapping[Any, Any]) -> Freshness:
        """Read it from the hash of totals under a key.

        Raises:
            StoreError: a field does not hold an integer.
        """
        fields = {text(name): value for name, value in raw.items()}
        return cls(*(_moment(key, name, fields.get(name)) for name in (EVENT_TIME, APPLIED_AT)))


@dataclass(frozen=True, slots=True)
class EntityState:
    """All of an entity that is not a window. ``days``: the starts of its newest days, ``last``: of its last minute."""

    counts: Counts
    totals: EntityTotals
    freshness: Freshness
    waiting: int
    days: tuple[int, ...]
    last: int | None


def read_states(client: redis.Redis, keys: Keys, contracts: Mapping[str, ContractSummary]) -> dict[str, EntityState]:
    """Return entity → state, all as of one moment, in one round trip."""
    with reading(client, keys.prefix):
        try:
            found = _ask(client, keys, contracts, transaction=True) if contracts else []
        except redis.exceptions.OutOfMemoryError:
            # A full Redis refuses every command of a transaction, also those that only read.
            found = _ask(client, keys, contracts, transaction=False)
    answers = iter(found)
    states = {}
    for entity, contract in contracts.items():
        key = keys.total(entity)
        raw, known, waiting = (next(answers) for _ in range(3))
        # Of a set and a sketch, one is empty.
        (customers, many_customers), (orders, many_orders) = ((next(answers), next(answers)) for _ in range(2))
        counts = parsed(key, raw)
        distinct = bool(contract.order) and not contract.order_unique
        estimated: list[Distinct] = ["customers"] if many_customers else []
        if distinct and many_orders:
            estimated.append("orders")
        states[entity] = EntityState(
            counts=counts,
            totals=EntityTotals.of(
                counts,
                active_customers=customers + many_customers,
                orders=orders_of(contract, counts, orders + many_orders),
                known=known,
                estimated=frozenset(estimated),
            ),
            freshness=Freshness.of(key, raw),
            waiting=waiting,
            days=tuple(starts_of(keys.windows(entity, Grain.DAY), next(answers))),
            last=next(iter(starts_of(keys.windows(entity, Grain.MINUTE), next(answers))), None),
        )
    return states


def _ask(client: redis.Redis, keys: Keys, contracts: Mapping[str, ContractSummary], *, transaction: bool) -> list[Any]:
    pipe = client.pipeline(transaction=transaction)
    for entity in contracts:
        pipe.hgetall(keys.total(entity))
        pipe.hlen(keys.references(entity))
        pipe.hlen(keys.waiting(entity))
        for what in ("customers", "orders"):
            pipe.scard(keys.distinct(entity, what))
            pipe.pfcount(keys.distinct_sketch(entity, what))
        pipe.zrange(keys.windows(entity, Grain.DAY), -MOST_WINDOWS, -1)
        pipe.zrange(keys.windows(entity, Grain.MINUTE), -1, -1)
    answers: list[Any] = pipe.execute()
    return answers


def read_first(
    client: redis.Redis, keys: Keys, contracts: Mapping[str, ContractSummary], states: Mapping[str, EntityState]
) -> int | None:
    """Return the start (s) of the stream: of its first window with clean records among the newest days; in two round trips.

    Records rejected for their date do not count, nor do days with under 0.5 % of the busiest day's clean records: a few
    records of 1970 must not stretch every axis, nor be what a month is compared with.
    """
    clocked = _clocked(contracts)
    days = [(entity, day) for entity in clocked for day in states[entity].days]
    pipe = client.pipeline(transaction=False)
    for entity, day in days:
        pipe.hget(keys.window(entity, Grain.DAY, day), CLEAN)
    clean = [
        whole(keys.window(entity, Grain.DAY, day), f"field {CLEAN}", count or 0)
        for (entity, day), count in zip(days, execute(client, keys.prefix, pipe) if days else (), strict=True)
    ]
    least = max(clean, default=0) * _STRAY
    busy = [day for (_, day), count in zip(days, clean, strict=True) if count > 0 and count >= least]
    if not busy:
        return min((day for _, day in days), default=None)
    first = min(busy)
    pipe = client.pipeline(transaction=False)
    for entity in clocked:
        for grain in (Grain.MINUTE, Grain.HOUR):
            pipe.zrangebyscore(keys.windows(entity, grain), first, first + Grain.DAY.seconds - 1, start=0, num=1)
    answers = iter(execute(client, keys.prefix, pipe))
    minutes, hours = [], []
    for entity in clocked:
        minutes += starts_of(keys.windows(entity, Grain.MINUTE), next(answers))
        hours += starts_of(keys.windows(entity, Grain.HOUR), next(answers))
    # Minutes are kept for less long than hours, and hours than days: the day's first ones may be gone.
    if hours and (not minutes or min(hours) + Grain.HOUR.seconds <= min(minutes)):
        return min(hours)
    return min(minutes, default=first)


def stream_ms(contracts: Mapping[str, ContractSummary], states: Mapping[str, EntityState]) -> int | None:
    """Return the stream's time (ms): ``windows.watermark.stream_time`` of all entities."""
    times = {entity: at for entity, state in states.items() if (at := _newest(state)) is not None}
    return stream_time(times, [entity for entity, contract in contracts.items() if contract.event_time])


def starts_of(key: str, members: Iterable[Any]) -> list[int]:
    """Return the starts (s) of windows from members of their sorted set; those that cannot be shown are left out.

    Raises:
        StoreError: a member is not an integer.
    """
    starts = [whole(key, "a member", text(start)) for start in members]
    return [start for start in starts if is_shown(start * 1000)]


def _newest(state: EntityState) -> int | None:
    if state.freshness.event_time is not None:
        return state.freshness.event_time
    # Nothing was clean yet: the windows of rejected records are all the time there is.
    return None if state.last is None else state.last * 1000


def _clocked(contracts: Mapping[str, ContractSummary]) -> list[str]:
    """The entities that carry an event time; all of them where none does."""
    return [entity for entity, contract in contracts.items() if contract.event_time] or list(contracts)


def _moment(key: str, name: str, value: Any) -> int | None:
    """The moment (ms) in a hash field, if it can be shown; StoreError names the field if it does not hold an integer."""
    if value is None:
        return None
    moment = whole(key, f"field {name}", value)
    return moment if is_shown(moment) else None
