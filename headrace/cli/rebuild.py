"""``headrace rebuild``: empty the store in Redis, and have the workers make it anew from the topics."""

from __future__ import annotations

import time

import click

from headrace.cli.errors import failed
from headrace.cli.progress import Meter
from headrace.interrupts import Stop
from stream_app.errors import StoreError
from stream_app.settings import load_settings
from stream_app.store.ownership import READY, Rebuild, is_same_store
from stream_app.store.queries import Queries, open_queries

#: Seconds between two looks at the progress.
_LOOK = 0.5


@click.command(name="rebuild")
@click.option("--yes", is_flag=True, help="Do not ask whether the store may be emptied.")
@click.option("--quiet", is_flag=True, help="Print errors only.")
def command(*, yes: bool, quiet: bool) -> None:
    """Empty the store in Redis, and have it made anew from the topics.

    Counts, windows, keys and references are read again from the clean, dead-letter and pending topics. Reports are kept. The
    workers do it, and judge no new record before they have finished; the command waits for them. Ctrl-C ends only the waiting.

    Workers rebuild a store that is empty by themselves. The command is for a Kafka cluster that was replaced, for
    HEADRACE_REBUILD=off, and for a store that somebody has changed.

    Exit codes: 0 rebuilt, 1 Redis is unavailable, or nobody has agreed.
    """
    settings = load_settings()
    prefix = settings.redis_prefix
    if not yes:
        click.confirm(f"Empty everything under the Redis prefix {prefix} but reports, and rebuild it?", abort=True)
    stop = Stop()
    try:
        with (
            Rebuild(settings.redis.get_secret_value(), prefix) as rebuild,
            stop.listening(),
            Meter("rebuild", quiet=quiet) as meter,
        ):
            epoch = rebuild.begin(int(time.time() * 1000))
            meter.say("the store is emptied and rebuilt by the workers")
            _follow(rebuild, open_queries(settings), epoch, meter, stop)
    except StoreError as error:
        raise failed(error) from None
    if stop:
        raise click.exceptions.Exit(stop.exit_code)


def _follow(rebuild: Rebuild, queries: Queries, epoch: int, meter: Meter, stop: Stop) -> None:
    """Show how far the workers are, until the store is ready."""
    warned, shown = False, ""
    while not stop:
        state, level, counted = rebuild.progress()
        if not is_same_store(state.epoch, epoch):
            meter.say("another rebuild has begun; it replaces this one")
            return
        if state.state == READY:
            meter.say("the store is level with the topics")
            return
        if not warned and not queries.workers():
            warned = True
            meter.say("no worker runs; start one with `headrace worker`: it rebuilds the store")
        text = f"{level} partitions are level, {counted:,} records counted again in the others"
        if text != shown and level:
            meter.say(text)
            shown = text
        time.sleep(_LOOK)
