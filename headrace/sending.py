"""What `replay` and `simulate` share: stopping in an orderly way, and saying on stderr how it goes."""

from __future__ import annotations

import gc
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from headrace import interrupts
from producers.pace import parse_rate, parse_speed
from stream_app.errors import HeadraceError

#: Seconds that a stop waits for acknowledgements.
STOP_SECONDS = 10.0
#: Seconds in which signals count as one: `timeout` signals its child, and then the child's group once more.
ONE_SIGNAL = 0.5


class Stop:
    """Set by SIGINT or SIGTERM; a second signal ends the process at once."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._at = 0.0
        self._woken: int | None = None

    def __bool__(self) -> bool:
        return self.signal is not None

    def wait(self, seconds: float) -> None:
        """Sleep, at most until the stop."""
        # A handler runs in the middle of the main thread's work, its waiting included: an Event's lock would be held by the
        # very thread that it interrupts, and a SimpleQueue of Python 3.11 may wait for ever when its time is over at once.
        # The byte that the interpreter writes for a signal ends the wait also when it comes just before it.
        if self.signal is None:
            woken, _, _ = select.select([] if self._woken is None else [self._woken], [], [], max(0.0, seconds))
            if woken and not self:  # by a signal that somebody else takes
                os.read(woken[0], 4096)

    @property
    def exit_code(self) -> int:
        return 128 + (self.signal or signal.SIGINT)

    @contextmanager
    def listening(self) -> Iterator[Stop]:
        """Take SIGINT and SIGTERM; the former handlers come back afterwards."""

        def handle(number: int, frame: FrameType | None) -> None:
            now = time.monotonic()
            if self.signal is not None:
                if now - self._at < ONE_SIGNAL:
                    return
                raise KeyboardInterrupt
            self.signal, self._at = number, now

        self._woken, wake = os.pipe()
        os.set_blocking(wake, False)
        before_wake = signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
        if (early := interrupts.received()) is not None and self.signal is None:
            handle(early, None)
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(before_wake)
            os.close(self._woken)
            os.close(wake)
            self._woken = None


def spare_garbage_collection() -> None:
    """Look for garbage seldom, from now on in this process.

    A sender keeps thousands of short-lived objects and makes no cycles: looking costs a sixth of its time.
    """
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


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
