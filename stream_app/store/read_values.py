"""What Redis holds, as frozen values: windows, freshness, workers, recent findings and clean records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from stream_app.errors import StoreError
from stream_app.judge.summary import EntityTotals
from stream_app.store.keys import WORKER_GONE_AFTER

#: What stands for a personal value.
MASK = "•••"


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted, all time or in one window. Money in minor units; mappings hold only what occurred.

    ``nulls``: optional field → records in which it is null or absent; ``unknown``: name of an unknown field → records.
    ``segments``: segment field → value → ``in``, ``clean``, ``rejected``, ``rev`` (minor units) or ``f:<rule>`` → count;
    windows hold them, totals do not.
    """

    received: int = 0
    clean: int = 0
    rejected: int = 0
    pending: int = 0
    repaired: int = 0
    revenue_minor: int = 0
    findings: Mapping[str, int] = field(default_factory=dict)
    at_risk_minor: Mapping[str, int] = field(default_factory=dict)
    repairs: Mapping[str, int] = field(default_factory=dict)
    nulls: Mapping[str, int] = field(default_factory=dict)
    unknown: Mapping[str, int] = field(default_factory=dict)
    segments: Mapping[str, Mapping[str, Mapping[str, int]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Window:
    """One tumbling window; ``start`` in seconds since the epoch, event time."""

    start: int
    counts: Counts


@dataclass(frozen=True, slots=True)
class Freshness:
    """The stream's time and the wall time of its last applied batch, in ms since the epoch; None before the first."""

    event_time: int | None = None
    processed_at: int | None = None


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker's last heartbeat: times in ms since the epoch, ``rate`` in records per second, ``lag`` in records.

    ``latency_ms``: from a record's arrival in Kafka to its count, lately; None where the worker does not say. ``behind``: the
    least event time (ms) that one of its partitions with unread records has reached; None where there is none.
    """

    id: str
    at: int
    started: int
    pid: int
    host: str
    rate: float
    lag: Mapping[str, int]
    state: str
    error: str | None = None
    latency_ms: float | None = None
    behind: int | None = None


@dataclass(frozen=True, slots=True)
class RecentFinding:
    """A finding, never with the record's values; ``event_time`` and ``at`` in ms since the epoch.

    ``segments``: segment field → value of the record, where the writer notes them.
    """

    entity: str
    rule: str
    severity: str
    dimension: str
    path: str
    message: str
    source: str
    event_time: int | None
    at: int | None
    segments: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CleanRecord:
    """A clean record as people may see it: personal fields are masked."""

    source: str
    event_time: int | None
    record: Mapping[str, Any]
    repairs: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EntityState:
    """All of an entity that is not a window. ``days``: the starts of its newest days, ``last``: of its last minute."""

    counts: Counts
    totals: EntityTotals
    freshness: Freshness
    waiting: int
    days: tuple[int, ...]
    last: int | None


def text(value: Any) -> str:
    """A Redis string, whether or not the client decodes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


_PLAIN = {
    "in": "received",
    "clean": "clean",
    "rejected": "rejected",
    "pending": "pending",
    "repaired": "repaired",
    "rev": "revenue_minor",
}


#: Prefix of a hash field → the mapping of ``Counts`` that holds what follows the prefix.
_KINDS = {"f:": "findings", "v:": "at_risk_minor", "r:": "repairs", "n:": "nulls", "u:": "unknown"}


def counts(key: str, raw: Mapping[Any, Any], *, segments: bool = True) -> Counts:
    """Read a hash of integers; times are left out, and so are segments where they are not wanted.

    Raises:
        StoreError: a field holds no integer, so that the key is not ours.
    """
    plain: dict[str, int] = {}
    mapped: dict[str, dict[str, int]] = {name: {} for name in _KINDS.values()}
    split: dict[str, dict[str, dict[str, int]]] = {}
    for raw_name, raw_value in raw.items():
        kind, name, segment = _place(raw_name)
        if not kind or (segment is not None and not segments):
            continue
        try:
            number = int(raw_value)
        except ValueError:
            number = integer(key, text(raw_name), raw_value)
        if segment is not None:
            if number:
                split.setdefault(segment[0], {}).setdefault(segment[1], {})[name] = number
        elif kind == "plain":
            plain[name] = number
        elif number:
            mapped[kind][name] = number
    return _counts(plain, mapped, split)


@lru_cache(16_384)
def _place(raw: Any) -> tuple[str, str, tuple[str, str] | None]:
    """Where a hash field belongs: (mapping of ``Counts``, ``plain`` or nothing; name there; (field, value) of a segment)."""
    name = text(raw)
    if (kind := _KINDS.get(name[:2])) is not None:
        return kind, name[2:], None
    if name.startswith("s|"):
        # A rule's id has no bar in it; a segment's value may have any.
        _, field_name, what, value = (*name.split("|", 3), "", "")[:4]
        return "segments", what, (field_name, value)
    return ("plain", _PLAIN[name], None) if name in _PLAIN else ("", "", None)


def _counts(plain: dict[str, int], mapped: dict[str, dict[str, int]], split: dict[str, dict[str, dict[str, int]]]) -> Counts:
    return Counts(
        **plain,
        findings=mapped["findings"],
        at_risk_minor=mapped["at_risk_minor"],
        repairs=mapped["repairs"],
        nulls=mapped["nulls"],
        unknown=mapped["unknown"],
        segments=split,
    )


def integer(key: str, name: str, value: Any) -> int:
    """The integer in a hash field; StoreError names the field where there is none."""
    try:
        return int(value)
    except ValueError:
        raise StoreError(
            f"Redis key {key}: field {name} holds no integer; another program writes here? "
            "Give Headrace a prefix of its own with HEADRACE_REDIS_PREFIX"
        ) from None


def freshness(key: str, raw: Mapping[Any, Any]) -> Freshness:
    """``et`` and ``at`` of a totals hash."""
    named = {text(name): value for name, value in raw.items() if text(name) in {"et", "at"}}
    times = {name: integer(key, name, value) for name, value in named.items()}
    return Freshness(times.get("et"), times.get("at"))


def add(parts: Iterable[Counts], *, segments: bool = True) -> Counts:
    """The sum of several counts; that of their segments only where it is wanted."""
    plain = dict.fromkeys(_PLAIN.values(), 0)
    mapped: dict[str, dict[str, int]] = {name: {} for name in _KINDS.values()}
    split: dict[str, dict[str, dict[str, int]]] = {}
    for part in parts:
        for name in plain:
            plain[name] += getattr(part, name)
        for name, into in mapped.items():
            _add(into, getattr(part, name))
        for field_name, values in part.segments.items() if segments else ():
            held = split.setdefault(field_name, {})
            for value, numbers in values.items():
                _add(held.setdefault(value, {}), numbers)
    return _counts(plain, mapped, split)


def _add(into: dict[str, int], more: Mapping[str, int]) -> None:
    for name, number in more.items():
        into[name] = into.get(name, 0) + number


def workers(raw: Mapping[Any, Any], now_ms: int) -> tuple[Worker, ...]:
    """The workers that reported lately, by id; one that wrote no readable heartbeat is left out."""
    alive = []
    for worker_id, value in raw.items():
        try:
            beat = json.loads(text(value))
            worker = Worker(
                id=text(worker_id),
                at=int(beat["at"]),
                started=int(beat.get("started") or beat["at"]),
                pid=int(beat.get("pid") or 0),
                host=str(beat.get("host") or ""),
                rate=float(beat.get("rate") or 0.0),
                lag={str(name): int(lag) for name, lag in (beat.get("lag") or {}).items()},
                state=str(beat.get("state") or "running"),
                error=None if beat.get("error") is None else str(beat["error"]),
                latency_ms=None if beat.get("latency_ms") is None else float(beat["latency_ms"]),
                behind=None if beat.get("behind") is None else int(beat["behind"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        if now_ms - worker.at < WORKER_GONE_AFTER * 1000:
            alive.append(worker)
    return tuple(sorted(alive, key=lambda worker: worker.id))


def total_lag(alive: Iterable[Worker]) -> dict[str, int]:
    """Records that wait in the raw topics, by entity, over all workers; an entity that none reports is left out."""
    lag: dict[str, int] = {}
    for worker in alive:
        for entity, behind in worker.lag.items():
            lag[entity] = lag.get(entity, 0) + behind
    return lag


def recent_findings(raw: Iterable[Any]) -> tuple[RecentFinding, ...]:
    """Newest first; an entry that cannot be read is left out."""
    found = []
    for value in raw:
        entry = _object(value)
        if entry is None:
            continue
        found.append(
            RecentFinding(
                entity=str(entry.get("entity", "")),
                rule=str(entry.get("rule", "")),
                severity=str(entry.get("severity", "")),
                dimension=str(entry.get("dimension", "")),
                path=str(entry.get("path", "")),
                message=str(entry.get("message", "")),
                source=str(entry.get("source", "")),
                event_time=_ms(entry.get("event_time")),
                at=_ms(entry.get("at")),
                segments=_texts(entry.get("segments")),
            )
        )
    return tuple(found)


def clean_records(raw: Iterable[Any], personal: frozenset[str]) -> tuple[CleanRecord, ...]:
    """Newest first. Fields in ``personal`` are masked here too, whatever the writer's contract said."""
    records = []
    for value in raw:
        entry = _object(value)
        if entry is None or not isinstance(entry.get("record"), dict):
            continue
        record = {name: MASK if name in personal and part is not None else part for name, part in entry["record"].items()}
        records.append(
            CleanRecord(
                source=str(entry.get("source", "")),
                event_time=_ms(entry.get("event_time")),
                record=record,
                repairs=_names(entry.get("repairs")),
                warnings=_names(entry.get("warnings")),
            )
        )
    return tuple(records)


def _object(value: Any) -> dict[str, Any] | None:
    try:
        entry = json.loads(text(value))
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _ms(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) else None


def _texts(values: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in values.items()} if isinstance(values, dict) else {}


def _names(values: Any) -> tuple[str, ...]:
    """Rule ids or steps, whether written as text or as objects that name them."""
    named = []
    for value in values if isinstance(values, list) else []:
        if isinstance(value, dict):
            named.append(str(value.get("rule") or value.get("id") or value.get("step") or value.get("path") or ""))
        else:
            named.append(str(value))
    return tuple(name for name in named if name)
