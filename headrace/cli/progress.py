"""Progress of a running command on a terminal; without a terminal, a line now and then."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from typing import Any, Self

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class Meter:
    """Progress of records on stderr: a live bar on a terminal, else a line every ``EVERY`` seconds; nothing if quiet."""

    EVERY = 10.0

    def __init__(self, command: str, *, quiet: bool, total: int | None = None) -> None:
        console = Console(stderr=True, highlight=False)
        self._quiet = quiet
        self._live = console.is_terminal and not quiet
        self._total = total
        self._start = self._last = time.monotonic()
        self._last_count = 0
        self._rate = 0.0
        self._base: int | None = None
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[count]} records"),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not self._live,
            transient=True,
        )
        self._task: TaskID = self._progress.add_task(command, total=None, count="0", rate="")
        self._said = self._start

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        if not self._quiet:
            if self._live:
                self._progress.console.print(text, markup=False)
            else:
                click.echo(text, err=True)

    def update(self, count: int, fraction: Callable[[], float | None]) -> None:
        """Show ``count`` acknowledged records, and their share of the whole if known.

        ``fraction`` is called only when something is shown, because it may cost a system call.
        """
        now = time.monotonic()
        if self._base is None:
            self._base = self._last_count = count
        if now - self._last < 0.25:
            return
        recent = (count - self._last_count) / (now - self._last)
        self._rate = recent if not self._rate else 0.7 * self._rate + 0.3 * recent
        self._last, self._last_count = now, count
        done = count / self._total if self._total else fraction()
        shown = f"{count:,}" + (f"/{self._total:,}" if self._total else "")
        rate = f"{self._rate:,.0f}/s"
        if self._live:
            total = 1.0 if done is not None else None
            self._progress.update(self._task, total=total, completed=done or 0.0, count=shown, rate=rate)
        elif now - self._said >= self.EVERY:
            self._said = now
            part = f" ({done:.0%})" if done is not None else ""
            self.say(f"{shown} records{part}, {rate}")

    def seconds(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._start


class LiveLine:
    """Lines that stay, above one that is overwritten; without a terminal, the latter is printed every ``EVERY`` seconds."""

    EVERY = 10.0

    def __init__(self, *, to_stderr: bool) -> None:
        self._err = to_stderr
        self._terminal = (sys.stderr if to_stderr else sys.stdout).isatty()
        self._last = time.monotonic()

    def say(self, line: str) -> None:
        """Print a line that stays."""
        self.end()
        click.echo(line, err=self._err)

    def show(self, line: str) -> None:
        """Overwrite the live line."""
        if self._terminal:
            click.echo(f"\r\x1b[2K{line[: shutil.get_terminal_size().columns - 1]}", nl=False, err=self._err)
        elif time.monotonic() - self._last >= self.EVERY:
            self._last = time.monotonic()
            click.echo(line, err=self._err)

    def end(self) -> None:
        """Remove the live line."""
        if self._terminal:
            click.echo("\r\x1b[2K", nl=False, err=self._err)


class StatusLine:
    """The status of a demo in one line, with the rate since the line before."""

    def __init__(self) -> None:
        self._last: tuple[float, int] | None = None
        self._rate = 0.0

    def of(self, status: dict[str, Any], now: float | None = None) -> str:
        """Return ``12,345 in · 12,000 clean · 300 rejected · 45 waiting · 200/s · quality 99.1 %``."""
        now = time.monotonic() if now is None else now
        total = {name: sum(row[name] for row in status["entities"].values()) for name in ("in", "clean", "rejected", "pending")}
        if self._last is None:
            self._last = now, total["in"]
        elif now - self._last[0] >= 1:
            self._rate = (total["in"] - self._last[1]) / (now - self._last[0])
            self._last = now, total["in"]
        valid = status["kpis"]["valid_records"]
        parts = [
            f"{total['in']:,} in",
            f"{total['clean']:,} clean",
            f"{total['rejected']:,} rejected",
            f"{total['pending']:,} waiting",
            f"{self._rate:,.0f}/s",
        ]
        return " · ".join(parts + ([f"valid {valid * 100:.2f} %"] if valid is not None else []))
