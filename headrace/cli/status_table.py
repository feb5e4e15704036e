"""The status as tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from headrace.cli.formats import money, percent

#: Rules with findings that the table shows.
TOP_RULES = 8


def table(status: Mapping[str, Any], now: datetime) -> RenderableType:
    """Return the status as tables; ``now`` is needed for the time since records were processed."""
    if not status["entities"]:
        return Text(
            "No worker has announced a contract yet.\nStart one with `headrace worker`, or run everything with `headrace demo`."
        )
    parts: list[RenderableType] = [_headline(status), *_stopped(status), _entities(status), _progress(status, now)]
    if rules := _rules(status):
        parts.append(rules)
    return Group(*parts)


def _headline(status: Mapping[str, Any]) -> Text:
    kpis = status["kpis"]
    facts = [
        ("active customers", f"{kpis['active_customers']:,}"),
        ("orders", f"{kpis['orders']:,}"),
        ("revenue", money(kpis["revenue"], kpis["currency"])),
        ("conversion", percent(kpis["conversion_rate"])),
        ("quality", percent(kpis["quality_score"])),
        ("conformity", percent(kpis["conformity"])),
    ]
    line = Text()
    for index, (name, value) in enumerate(facts):
        line.append(f"{name} ", style="dim").append(value, style="bold").append("\n" if index % 3 == 2 else "   ")
    count = status["workers"]
    running = f"{count} worker{'' if count == 1 else 's'} running" if count else "no worker is running"
    return line.append(running, style="green" if count else "bold red").append("\n")


def _stopped(status: Mapping[str, Any]) -> list[Text]:
    """Return a line for each partition that has stopped at a batch that cannot be read."""
    return [
        Text(
            f"{one['topic']}[{one['partition']}] has stopped at the batch of offsets {one['base']} to "
            f"{'?' if one['last'] is None else one['last']}, which cannot be read: {one['reason']}",
            style="bold red",
        )
        for one in status.get("stopped", ())
    ]


def _entities(status: Mapping[str, Any]) -> Table:
    grid = _grid("records")
    rows = status["entities"].values()
    # Few shops have these: a column of zeros would only take room.
    rare = [name for name in ("deleted", "unreadable") if any(row.get(name) for row in rows)]
    names = ("in", "clean", "rejected", "pending", *rare, "repaired")
    for name in names:
        grid.add_column(name, justify="right", no_wrap=True)
    for entity, row in status["entities"].items():
        grid.add_row(entity, *(f"{row.get(name, 0):,}" for name in names))
    return grid


def _progress(status: Mapping[str, Any], now: datetime) -> Table:
    grid = _grid("state")
    for name in ("conformity", "quality", "event time (UTC)", "processed", "to read"):
        grid.add_column(name, justify="right", no_wrap=True)
    for entity, row in status["entities"].items():
        fresh = status["freshness"].get(entity, {})
        lag = status["lag"].get(entity)
        grid.add_row(
            entity,
            percent(row["conformity"]),
            percent(row["quality"]["score"]),
            _moment(fresh.get("event_time")),
            _ago(fresh.get("processed_at"), now),
            "unknown" if lag is None else f"{lag:,}",
        )
    return grid


def _grid(first: str) -> Table:
    grid = Table(header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    grid.add_column(first, no_wrap=True)
    return grid


def _rules(status: Mapping[str, Any]) -> Table | None:
    rows = [
        (count, entity, rule, count / row["in"] if row["in"] else None)
        for entity, row in status["entities"].items()
        for rule, count in row["findings"].items()
    ]
    if not rows:
        return None
    rows.sort(key=lambda row: (-row[0], row[1], row[2]))
    grid = _grid("rule")
    grid.add_column("of", no_wrap=True)
    for name in ("findings", "of records in"):
        grid.add_column(name, justify="right", no_wrap=True)
    for count, entity, rule, share in rows[:TOP_RULES]:
        grid.add_row(rule, entity, f"{count:,}", percent(share))
    if len(rows) > TOP_RULES:
        grid.caption = f"{len(rows) - TOP_RULES} more rules; --json shows all"
    return grid


def _moment(iso: str | None) -> str:
    return iso[:19].replace("T", " ") if iso else "–"


def _ago(iso: str | None, now: datetime) -> str:
    if not iso:
        return "–"
    seconds = max(0, round((now - datetime.fromisoformat(iso)).total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"
