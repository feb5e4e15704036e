"""``headrace status``: totals, key figures, freshness and lag, once or repeatedly."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from headrace.cli.status_table import table
from stream_app.errors import StoreError
from stream_app.settings import load_settings
from stream_app.store.queries import Queries, open_queries
from stream_app.views.pulse import read_status
from stream_app.views.server import read_server


@click.command(name="status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; with --watch, one object per line.")
@click.option("--watch", is_flag=True, help="Repeat until Ctrl-C.")
@click.option(
    "--every",
    type=click.FloatRange(min=0.2),
    default=2.0,
    show_default=True,
    help="With --watch: seconds between two statuses.",
)
def command(*, as_json: bool, watch: bool, every: float) -> None:
    """Show totals, key figures, freshness and lag, as stored in the Redis of HEADRACE_REDIS."""
    queries = open_queries(load_settings())
    if not watch:
        status = _read(queries)
        if as_json:
            click.echo(json.dumps(status, ensure_ascii=False, indent=2))
        else:
            Console().print(table(status, datetime.now(UTC)))
        return
    try:
        _watch(queries, every, as_json=as_json)
    except KeyboardInterrupt:
        return


def _read(queries: Queries) -> dict[str, Any]:
    return {**read_status(queries), "redis": read_server(queries)}


def _watch(queries: Queries, every: float, *, as_json: bool) -> None:
    if as_json:
        while True:
            click.echo(json.dumps(_read(queries), ensure_ascii=False, separators=(",", ":")))
            time.sleep(every)
    with Live(Text("…"), console=Console(), auto_refresh=False) as live:
        while True:
            try:
                live.update(table(_read(queries), datetime.now(UTC)), refresh=True)
            except StoreError as error:
                # A watching user wants to see Redis come back without starting over.
                live.update(Text(str(error), style="red"), refresh=True)
            time.sleep(every)
