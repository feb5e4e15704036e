"""The windows of a range: which there are, their counts, and distinct customers and orders within cuts of it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import redis

from stream_app.contract.summary import ContractSummary
from stream_app.counts.fields import Distinct
from stream_app.counts.samples import CleanRecord, clean_records
from stream_app.counts.window import Window
from stream_app.store.connection import execute, parsed
from stream_app.store.keys import Keys
from stream_app.store.states import starts_of
from stream_app.windows.grain import Span

#: A part of a range in which distinct values are counted: customers or orders, from, up to (s).
Cut = tuple[Distinct, int, int]


class Starts(NamedTuple):
    """Entity → the starts (s) of its windows in a range and the one before, and the newest clean records."""

    by_entity: dict[str, list[int]]
    preview: tuple[CleanRecord, ...]


class Windows(NamedTuple):
    """Entity → its windows, and distinct customers and orders (estimates) by cut."""

    by_entity: dict[str, tuple[Window, ...]]
    distinct: dict[Cut, int]


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
            pipe.zrangebyscore(keys.windows(entity, span.grain), since, f"({span.end}")
    answers = iter(execute(client, keys.prefix, pipe) if len(pipe) else ())
    preview: tuple[CleanRecord, ...] = ()
    if previewed is not None:
        preview = clean_records(next(answers), personal_fields(contracts[previewed]))
    if span is None:
        return Starts({}, preview)
    return Starts({entity: sorted(starts_of(keys.windows(entity, span.grain), next(answers))) for entity in contracts}, preview)


def read_windows(
    client: redis.Redis,
    keys: Keys,
    contracts: Mapping[str, ContractSummary],
    span: Span,
    starts: Mapping[str, list[int]],
    *,
    sales: str | None,
    segments: bool,
    cuts: Iterable[tuple[int, int]],
) -> Windows:
    """Return the windows that start at ``starts``, and the distinct values of ``sales`` in each cut; in one round trip."""
    pipe = client.pipeline(transaction=False)
    for entity in contracts:
        for start in starts[entity]:
            pipe.hgetall(keys.window(entity, span.grain, start))
    wanted = _ask_distinct(pipe, keys, sales, contracts[sales], span, starts[sales], cuts) if sales is not None else []
    answers = iter(execute(client, keys.prefix, pipe) if len(pipe) else ())
    windows = {
        entity: tuple(
            Window(start, parsed(keys.window(entity, span.grain, start), next(answers), segments=segments))
            for start in starts[entity]
        )
        for entity in contracts
    }
    return Windows(windows, {cut: int(next(answers)) for cut in wanted})


def personal_fields(contract: ContractSummary) -> frozenset[str]:
    """Return the names of the fields that people see masked."""
    return frozenset(field.name for field in contract.fields if field.personal)


def _ask_distinct(
    pipe: Any,
    keys: Keys,
    sales: str,
    contract: ContractSummary,
    span: Span,
    starts: list[int],
    cuts: Iterable[tuple[int, int]],
) -> list[Cut]:
    """Ask for the distinct values in each cut that has windows; returns those cuts, in the order of the questions."""
    wanted: list[Cut] = []
    for what in _sketched(contract):
        for begin, end in sorted({*cuts}):
            # A bar may stick out of the span; its distinct values must not come from the range before.
            outer = span.start if end > span.start else begin
            inside = starts[bisect_left(starts, max(begin, outer)) : bisect_left(starts, min(end, span.end))]
            if inside:
                pipe.pfcount(*(keys.sketch(sales, what, span.grain, start) for start in inside))
                wanted.append((what, begin, end))
    return wanted


def _sketched(contract: ContractSummary) -> tuple[Distinct, ...]:
    """The distinct values that windows have sketches of: orders need none where each clean record is one."""
    customers: tuple[Distinct, ...] = ("customers",) if contract.customer else ()
    return (*customers, "orders") if contract.order and not contract.order_unique else customers
