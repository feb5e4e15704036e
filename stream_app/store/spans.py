"""The windows of a range: which there are, their counts, and distinct customers and orders within cuts of it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import redis

from stream_app.contract.summary import ContractSummary
from stream_app.counts.fields import Distinct
from stream_app.counts.samples import CleanRecord, clean_records
from stream_app.counts.window import Window
from stream_app.store.cardinality import Cardinalities, Cardinality, Part, ask_sizes, parts_of
from stream_app.store.connection import execute
from stream_app.store.keys import Keys
from stream_app.store.local_days import Key, keys_of, local_days, parts_within, windows_of
from stream_app.store.reread import Reread
from stream_app.store.states import starts_of
from stream_app.windows.grain import Grain, Span

#: A part of a range in which distinct values are counted: customers or orders, from, up to (s).
Cut = tuple[Distinct, int, int]


class Starts(NamedTuple):
    """Entity → the starts (s) of its windows in a range and the one before, and the newest clean records.

    ``sizes``: how many distinct values the windows have, and ``hours`` those of the hours, if days are put together from these;
    ``epoch``: of the store.
    """

    by_entity: dict[str, list[int]]
    preview: tuple[CleanRecord, ...]
    sizes: Mapping[Distinct, list[Part]] = MappingProxyType({})
    epoch: str | bytes | None = None
    hours: Mapping[Distinct, list[Part]] = MappingProxyType({})


class Windows(NamedTuple):
    """Entity → its windows, and distinct customers and orders by cut."""

    by_entity: dict[str, tuple[Window, ...]]
    distinct: dict[Cut, Cardinality]


def read_starts(
    client: redis.Redis,
    keys: Keys,
    contracts: Mapping[str, ContractSummary],
    span: Span | None,
    *,
    sales: str | None,
    records: int,
) -> Starts:
    """Return which windows there are, and up to ``records`` of the newest clean records of ``sales``; in one round trip."""
    pipe = client.pipeline(transaction=False)
    previewed = sales if records else None
    if previewed is not None:
        pipe.lrange(keys.clean(previewed), 0, records - 1)
    if span is not None:
        since = span.start if span.previous is None else span.previous
        for entity in contracts:
            # The first day of another zone begins within a day of UTC.
            oldest = span.grain.start(since) if span.local else since
            pipe.zrangebyscore(keys.windows(entity, span.grain), oldest, f"({span.end}")
        if sales is not None:
            for what in _counted(contracts[sales]):
                for grain in _counted_in(span):
                    ask_sizes(pipe, keys, sales, what, grain, since, span.end)
            pipe.hget(keys.store(), "epoch")
    answers = iter(execute(client, keys.prefix, pipe) if len(pipe) else ())
    preview: tuple[CleanRecord, ...] = ()
    if previewed is not None:
        preview = clean_records(next(answers), personal_fields(contracts[previewed]))
    if span is None:
        return Starts({}, preview)
    starts = {entity: sorted(starts_of(keys.windows(entity, span.grain), next(answers))) for entity in contracts}
    if sales is None:
        return Starts(starts, preview)
    counted_kinds = _counted(contracts[sales])
    sizes: dict[Distinct, list[Part]] = {}
    hours: dict[Distinct, list[Part]] = {}
    for what in counted_kinds:
        sizes[what] = parts_of(keys, sales, what, span.grain, next(answers))
        if span.local:
            hours[what] = parts_of(keys, sales, what, Grain.HOUR, next(answers))
    return Starts(starts, preview, sizes, next(answers), hours)


def _counted_in(span: Span) -> tuple[Grain, ...]:
    """Return the windows whose distinct values are counted; not every day of another zone is made of days."""
    return (span.grain, Grain.HOUR) if span.local else (span.grain,)


def read_windows(
    cardinalities: Cardinalities,
    reread: Reread,
    contracts: Mapping[str, ContractSummary],
    span: Span,
    starts: Starts,
    *,
    segments: bool,
    cuts: Iterable[tuple[int, int]],
) -> Windows:
    """Return the windows that start at ``starts``, and the distinct values in each cut; in one round trip.

    It takes more if a window's set is split or turns into a sketch at this moment.
    """
    client, keys = cardinalities.client, cardinalities.keys
    pipe = client.pipeline(transaction=False)
    days = {entity: local_days(span, {*starts.by_entity[entity]}) if span.local else [] for entity in contracts}
    read: dict[str, list[Key]] = {
        entity: keys_of(days[entity]) if span.local else [(span.grain, start) for start in starts.by_entity[entity]]
        for entity in contracts
    }
    for entity, wanted_keys in read.items():
        for grain, start in wanted_keys:
            pipe.hgetall(keys.window(entity, grain, start))
    wanted = _cuts(span, starts, cuts)
    asked = cardinalities.ask(pipe, wanted.values(), starts.epoch)
    answers = iter(execute(client, keys.prefix, pipe) if len(pipe) else ())
    windows: dict[str, tuple[Window, ...]] = {}
    for entity, wanted_keys in read.items():
        counts = {key: reread.parsed(keys.window(entity, *key), next(answers), segments=segments) for key in wanted_keys}
        if span.local:
            windows[entity] = windows_of(days[entity], counts, segments=segments)
        else:
            windows[entity] = tuple(Window(start, one) for (_, start), one in counts.items())
    return Windows(windows, dict(zip(wanted, cardinalities.answer(asked, answers), strict=True)))


def personal_fields(contract: ContractSummary) -> frozenset[str]:
    """Return the names of the fields that people see masked."""
    return frozenset(field.name for field in contract.fields if field.personal)


def _cuts(span: Span, found: Starts, cuts: Iterable[tuple[int, int]]) -> dict[Cut, list[Part]]:
    """Return the windows of each cut that has some."""
    wanted: dict[Cut, list[Part]] = {}
    for what, parts in found.sizes.items():
        starts = [part.start for part in parts]
        for begin, end in sorted({*cuts}):
            # A bar may stick out of the span; its distinct values must not come from the range before.
            outer = span.start if end > span.start else begin
            low, high = max(begin, outer), min(end, span.end)
            if span.local:
                inside = parts_within(found.hours[what], parts, low, high)
            else:
                inside = parts[bisect_left(starts, low) : bisect_left(starts, high)]
            if inside:
                wanted[what, begin, end] = inside
    return wanted


def _counted(contract: ContractSummary) -> tuple[Distinct, ...]:
    """The distinct values that windows count: orders need none where each clean record is one."""
    customers: tuple[Distinct, ...] = ("customers",) if contract.customer else ()
    return (*customers, "orders") if contract.order and not contract.order_unique else customers
