"""What `replay` and `simulate` share: stopping in an orderly way, and saying on stderr how it goes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from producers.sending.pace import parse_rate, parse_speed
from stream_app.errors import HeadraceError

#: Seconds that a stop waits for acknowledgements.
STOP_SECONDS = 10.0


class Meter:
    """Progress on stderr: a live line on a terminal, otherwise a line now and then; nothing when quiet."""

    EVERY = 10.0

    def __init__(self, what: str, *, quiet: bool, total: int | None = None) -> None:
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
        self._task: TaskID = self._progress.add_task(what, total=None, count="0", rate="")
        self._said = self._start

    def __enter__(self) -> Meter:
        self._progress.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        """A line for the user, above the progress."""
        if not self._quiet:
            if self._live:
                self._progress.console.print(text, markup=False)
            else:
                click.echo(text, err=True)

    def update(self, count: int, fraction: Callable[[], float | None]) -> None:
        """Show ``count`` acknowledged records, and how much of the whole that is where it is known.

        ``fraction`` is asked only when it is time to show something: it may cost a system call, and a turn of this thread.
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
        """Since the start."""
        return time.monotonic() - self._start


def parsed(function: Callable[[str], float]) -> Callable[[click.Context, click.Parameter, str | None], float | None]:
    """A click callback out of a parser that raises ValueError."""

    def callback(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
        if value is None:
            return None
        try:
            return function(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None

    return callback


rate_option = parsed(parse_rate)
speed_option = parsed(parse_speed)


def undelivered(error: HeadraceError) -> click.exceptions.Exit:
    """Say what was not delivered; exit code 1, other than for what the user can cure on the command line (2)."""
    click.echo(f"headrace: {error}", err=True)
    return click.exceptions.Exit(1)
