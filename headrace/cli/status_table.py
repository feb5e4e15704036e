"""The status as tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from headrace.cli.formats import percent, revenue

#: Rules with findings that the table shows.
TOP_RULES = 8


def table(status: Mapping[str, Any], now: datetime) -> RenderableType:
    """Return the status as tables; ``now`` is needed for the time since records were processed."""
    problems = _problems(status)
    if not status["entities"]:
        return Group(
            *problems,
            Text(
                "No worker has announced a contract yet.\n"
                "Start one with `headrace worker`, or run everything with `headrace demo`."
            ),
        )
    lines = [*_losses(status), *_stopped(status)]
    parts: list[RenderableType] = [*problems, _headline(status), *lines, _entities(status), _progress(status, now)]
    if rules := _rules(status):
        parts.append(rules)
    if trouble := _trouble(status, now):
        parts.insert(1, trouble)
    if status.get("memory") is not None:
        parts.append(_memory(status["memory"]))
    return Group(*parts)


def _problems(status: Mapping[str, Any]) -> list[RenderableType]:
    """The checks that the Redis server does not pass, a line each."""
    return [
        Text(problem["text"], style="bold red" if problem["severity"] == "refuse" else "yellow")
        for problem in status.get("redis", {}).get("problems", ())
    ]


def _headline(status: Mapping[str, Any]) -> Text:
    kpis = status["kpis"]
    facts = [
        ("active customers", f"{_about(status, 'active_customers')}{kpis['active_customers']:,}"),
        ("orders", f"{_about(status, 'orders')}{kpis['orders']:,}"),
        ("revenue", revenue(kpis)),
        ("conversion", _conversion(status)),
        ("valid records", percent(kpis["valid_records"])),
        ("conformity", percent(kpis["conformity"])),
    ]
    line = Text()
    for index, (name, value) in enumerate(facts):
        line.append(f"{name} ", style="dim").append(value, style="bold").append("\n" if index % 3 == 2 else "   ")
    count = status["workers"]
    running = f"{count} worker{'' if count == 1 else 's'} running" if count else "no worker is running"
    return line.append(running, style="green" if count else "bold red").append("\n")


def _conversion(status: Mapping[str, Any]) -> str:
    rate, visits = status["kpis"]["conversion_rate"], status["kpis"].get("visits")
    if rate is None or visits is None:
        return percent(rate)
    return f"{_about(status, 'orders')}{percent(rate)} of {visits:,} visits"


def _about(status: Mapping[str, Any], what: str) -> str:
    return "≈ " if what in status.get("estimates", ()) else ""


def _memory(memory: Mapping[str, Any]) -> Text:
    kinds = sorted(memory["kinds"].items(), key=lambda item: -item[1])
    parts = ", ".join(f"{kind} {decimal(number)}" for kind, number in kinds if number)
    line = Text("Redis ", style="dim").append(decimal(memory["used"]), style="bold")
    if memory["limit"]:
        line.append(f" of {decimal(memory['limit'])}")
    if parts:
        line.append(f" (≈ {parts})", style="dim")
    if memory["per_day"]:
        line.append(f"; {'+' if memory['per_day'] > 0 else '−'}{decimal(abs(memory['per_day']))} per day")
    if (days := memory["days_left"]) is not None:
        text = f"; full in {days:,.0f} days" if days >= 2 else f"; full in {days * 24:,.0f} hours"
        line.append(text, style="bold red" if days < 14 else "")
    return line


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


def _trouble(status: Mapping[str, Any], now: datetime) -> Text | None:
    """Open problems, and notes of the workers; None if there are none."""
    lines = Text()
    for one in status.get("trouble", ()):
        subject = f"{one['subject']} {'stopped' if one['stopped'] else 'retries'}".strip()
        lines.append(f"{subject} ", style="bold red" if one["stopped"] else "bold yellow")
        since = f" (for {_ago(one['since'], now).removesuffix(' ago')})" if one["since"] else ""
        lines.append(f"{one['text']}{since}\n")
    for subject, text in status.get("notes", {}).items():
        lines.append(f"{subject} ", style="bold").append(f"{text}\n")
    return lines or None


def _losses(status: Mapping[str, Any]) -> list[Text]:
    """A line for each partition that lost records; nothing if none did."""
    lines = []
    for loss in status.get("losses", ()):
        first, last = loss["last_offsets"]
        lines.append(
            f"{loss['entity']}: up to {loss['records']:,} records of {loss['topic']}[{loss['partition']}] are lost: they were "
            f"deleted before a worker read them, the last ones (offsets {first} to {last}) at {_moment(loss['at'])} UTC"
        )
    return [Text(line, style="bold red") for line in lines] + ([Text("")] if lines else [])


def _entities(status: Mapping[str, Any]) -> Table:
    grid = _grid("records")
    rows = status["entities"].values()
    # Few shops have these: a column of zeros would only take room.
    rare = [name for name in ("deleted", "unreadable", "late") if any(row.get(name) for row in rows)]
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
            percent(row["quality"]["valid"]),
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
