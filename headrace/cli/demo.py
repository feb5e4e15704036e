"""``headrace demo``: run everything on this machine."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from headrace.cli.options import shop_option
from stream_app.errors import DeliveryError, EmbeddedError


@click.command(name="demo")
@shop_option
@click.option("--data", multiple=True, metavar="PATH", help="Send this file instead of a simulated shop; repeatable.")
@click.option("--once", is_flag=True, help="With --data: stop when every record has a verdict, and print the status.")
@click.option("--json", "as_json", is_flag=True, help="With --once: print the status as JSON, and nothing else on stdout.")
@click.option("--rate", metavar="N/s", help="Records per second.")
@click.option("--speed", metavar="60x", help="Seconds of event time per second.")
@click.option("--faults", default="3%", show_default=True, metavar="SHARE", help="Share of simulated records to break.")
@click.option("--workers", type=click.IntRange(1, 16), default=1, show_default=True, help="Number of workers.")
@click.option("--dashboard/--no-dashboard", default=True, help="Serve the dashboard (default; never with --once).")
@click.option("--port", type=click.IntRange(1, 65_535), help="Port of the dashboard; default: 8501, or a free port.")
@click.option("--open/--no-open", "browser", default=None, help="Open the dashboard in a browser; default: on a terminal.")
def command(
    *,
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

    A broker, a Redis, workers, the dashboard, the reporter and a simulated shop run as child processes until Ctrl-C. If
    HEADRACE_KAFKA or HEADRACE_REDIS is set, that service is used instead of an embedded one.

    The simulated shop starts with four weeks of history; then ten minutes pass per second, and incidents are staged. With
    --rate or --speed it starts now, without history and incidents. Files (--data) are sent as fast as possible.
    """
    if once and not data:
        raise click.UsageError("--once needs --data, because the simulated shop never ends")
    if as_json and not once:
        raise click.UsageError("--json needs --once")
    from headrace.cli.progress import LiveLine, StatusLine
    from headrace.embedded.demo import Demo
    from headrace.embedded.plan import Plan
    from headrace.interrupts import Stop

    opened = sys.stdout.isatty() if browser is None else browser
    plan = Plan(shop, data, once, rate, speed, faults, workers, dashboard, port, opened)
    stop = Stop()
    live, line = LiveLine(to_stderr=once), StatusLine()
    try:
        with stop.listening():
            status = Demo(plan, stop, live.say, lambda status: live.show(line.of(status))).run()
    except (EmbeddedError, DeliveryError) as error:
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

        from headrace.cli.status_table import table

        Console().print(table(status, datetime.now(UTC)))
