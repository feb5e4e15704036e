"""Samples of recent findings and clean records, as the store keeps them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stream_app.counts.fields import text

#: What stands for a personal value.
MASK = "•••"


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
