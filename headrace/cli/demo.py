"""``headrace demo``: everything on this machine, until stopped or, with ``--once``, until the data is through."""

from __future__ import annotations

import json
import shutil
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from stream_app.errors import EmbeddedError


@click.command(name="demo")
@click.option("--shop", type=click.Path(path_type=Path), help="Folder of the shop's contracts; default: the built-in shop.")
@click.option("--data", multiple=True, metavar="PATH", help="Send this file (repeatable) instead of a simulated shop.")
@click.option("--once", is_flag=True, help="With --data: stop when every record has its verdict, and print the status.")
@click.option("--json", "as_json", is_flag=True, help="With --once: the status as JSON, and nothing else on stdout.")
@click.option("--rate", metavar="N/s", help="Records a second; default: 200/s simulated, files as fast as they go.")
@click.option("--speed", metavar="60x", help="Event time so many times as fast as the clock.")
@click.option("--faults", default="3%", show_default=True, metavar="SHARE", help="Share of broken simulated records.")
@click.option("--workers", type=click.IntRange(1, 16), default=1, show_default=True, help="Workers to share the work.")
@click.option("--dashboard/--no-dashboard", default=True, help="Serve the dashboard (default; never with --once).")
@click.option("--port", type=click.IntRange(1, 65_535), help="Port of the dashboard; default: 8501, or a free one.")
@click.option("--open/--no-open", "browser", default=None, help="Open the dashboard in a browser; default: on a terminal.")
def command(
    shop: Path | None,
    data: tuple[str, ...],
    once: bool,
    as_json: bool,
    rate: str | None,
    speed: str | None,
    faults: str,
    workers: int,
    dashboard: bool,
    port: int | None,
    browser: bool | None,
) -> None:
    """Run everything on embedded services and open the dashboard.

    A broker, a Redis, workers, the dashboard and a simulated shop (or --data) run as child processes until Ctrl-C. Where
    HEADRACE_KAFKA or HEADRACE_REDIS is set, that one is used instead of an embedded one.
    """
    if once and not data:
        raise click.UsageError("--once needs --data: the simulated shop never ends")
    if as_json and not once:
        raise click.UsageError("--json needs --once")
    from headrace.embedded.demo import Demo, Plan
    from headrace.interrupts import Stop

    plan = Plan(
        shop, data, once, rate, speed, faults, workers, dashboard, port, sys.stdout.isatty() if browser is None else browser
    )
    stop = Stop()
    live = LiveLine(to_stderr=once)
    try:
        with stop.listening():
            status = Demo(plan, stop, live.say, live.show).run()
    except EmbeddedError as error:
        live.say(f"headrace: {error}")
        raise click.exceptions.Exit(1) from None
    finally:
        live.end()
    if status is None:
        raise click.exceptions.Exit(stop.exit_code if once else 0)
    if as_json:
        click.echo(json.dumps(status, ensure_ascii=False, indent=2))
    else:
        from rich.console import Console

        from headrace.cli.status import table

        Console().print(table(status, datetime.now(UTC)))


class LiveLine:
    """Lines for the user above one that is written over; without a terminal that one appears every ten seconds."""

    EVERY = 10.0

    def __init__(self, *, to_stderr: bool) -> None:
        self._err = to_stderr
        self._terminal = (sys.stderr if to_stderr else sys.stdout).isatty()
        self._last = time.monotonic()

    def say(self, line: str) -> None:
        """A line that stays."""
        self.end()
        click.echo(line, err=self._err)

    def show(self, line: str) -> None:
        """The line that is written over."""
        if self._terminal:
            click.echo(f"\r\x1b[2K{line[: shutil.get_terminal_size().columns - 1]}", nl=False, err=self._err)
        elif time.monotonic() - self._last >= self.EVERY:
            self._last = time.monotonic()
            click.echo(line, err=self._err)

    def end(self) -> None:
        """Take the live line away."""
        if self._terminal:
            click.echo("\r\x1b[2K", nl=False, err=self._err)
