"""Planned events of a shop, such as sales and closing days, from a calendar file: the monitor expects what they bring."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from stream_app.contract.document import Document, Path_, read_document
from stream_app.windows.calendar import milliseconds, parse_moment

#: ``sale``: more records and money, another mix and average; ``closed``: fewer or none.
Kind = Literal["sale", "closed"]
_KINDS = ("sale", "closed")
_KEYS = {"name", "kind", "from", "to", "entities"}


@dataclass(frozen=True, slots=True)
class Planned:
    """One event from ``start`` up to, not including, ``end`` (s of event time). ``entities``: empty means all."""

    name: str
    kind: str
    start: int
    end: int
    entities: tuple[str, ...] = ()

    def covers(self, entity: str, start: int, end: int) -> bool:
        """True if the event is about the entity and touches the time from ``start`` up to ``end``."""
        return self.start < end and start < self.end and (not self.entities or entity in self.entities)

    def excuses(self, metric: str, direction: str) -> bool:
        """True if a deviation of a metric (``low``, ``high`` or ``changed``) is what the event brings."""
        kind = metric.partition(":")[0]
        if kind in {"mix", "average_order"}:
            return True
        if kind in {"volume", "revenue"}:
            return direction == ("high" if self.kind == "sale" else "low")
        return kind == "threshold" and self.kind == "closed" and direction == "low"


def read_planned(file: Path | None) -> tuple[Planned, ...]:
    """Read a calendar file; no file has no events.

    Raises:
        DocumentError: the file cannot be read, or an event is wrong; the message names the line.
    """
    if file is None:
        return ()
    document = read_document(file)
    data = document.data
    if not isinstance(data, dict) or not isinstance(data.get("events"), list) or len(data) != 1:
        raise document.error((), "a calendar has one key, `events`, with a list of events")
    return tuple(_event(document, number, row) for number, row in enumerate(data["events"]))


def during(planned: Iterable[Planned], entity: str, start: int, end: int) -> tuple[Planned, ...]:
    """Return the events of an entity that touch a time (s)."""
    return tuple(one for one in planned if one.covers(entity, start, end))


def _event(document: Document, number: int, row: Any) -> Planned:
    where: Path_ = ("events", number)
    if not isinstance(row, dict) or set(row) - _KEYS or not {"name", "kind", "from", "to"} <= set(row):
        raise document.error(where, "an event has `name`, `kind`, `from`, `to` and, if it is not about all, `entities`")
    if row["kind"] not in _KINDS:
        raise document.error((*where, "kind"), f"unknown kind; choose from {', '.join(_KINDS)}")
    entities = row.get("entities", [])
    if not isinstance(entities, list) or not all(isinstance(one, str) for one in entities):
        raise document.error((*where, "entities"), "`entities` is a list of names of entities")
    start, end = _moment(document, (*where, "from"), row["from"]), _moment(document, (*where, "to"), row["to"], last=True)
    if end <= start:
        raise document.error((*where, "to"), "the event ends before it starts")
    return Planned(str(row["name"]), row["kind"], start, end, tuple(entities))


def _moment(document: Document, where: Path_, value: Any, *, last: bool = False) -> int:
    """Seconds of a day (of ``last``, its end) or a moment; UTC if it has no offset."""
    text = str(value)
    try:
        day = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
    except ValueError:
        found = parse_moment(text)
        if found is None:
            raise document.error(where, "not a day such as 2026-11-27, or a moment such as 2026-11-27T08:00") from None
        return milliseconds(found) // 1_000
    return milliseconds(day + timedelta(days=1) if last else day) // 1_000
