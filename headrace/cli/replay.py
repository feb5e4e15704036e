"""``headrace replay``: send files and HTTP APIs to the raw topics."""

from __future__ import annotations

from pathlib import Path

import click

from headrace.cli.errors import failed
from headrace.cli.options import RATE, SPEED
from headrace.cli.progress import Meter
from headrace.interrupts import Stop
from producers.replay import Replay, total
from producers.sending.pace import TICK, Pacer
from stream_app.contract import load_shop
from stream_app.errors import DeliveryError
from stream_app.kafka.admin import ensure_topics
from stream_app.process import collect_garbage_rarely
from stream_app.settings import load_settings


@click.command(name="replay")
@click.argument("paths", nargs=-1, metavar="[PATH|URL]...")
@click.option(
    "--shop",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the contracts and of sources.yaml; default: the built-in shop.",
)
@click.option("--entity", metavar="E", help="Send only this entity; also names the entity of a file whose name does not.")
@click.option("--rate", metavar="N/s", type=RATE, help="Maximum records per second, e.g. 200/s or 12000/min.")
@click.option("--speed", metavar="60x", type=SPEED, help="Seconds of event time per second; sources are merged by event time.")
@click.option("--loop", is_flag=True, help="Start over at the end, with later event times, until stopped.")
@click.option("--resume/--no-resume", default=True, help="Resume where a stopped replay ended (default), or start over.")
@click.option("--quiet", is_flag=True, help="Print errors only.")
def command(
    *,
    paths: tuple[str, ...],
    shop: Path | None,
    entity: str | None,
    rate: float | None,
    speed: float | None,
    loop: bool,
    resume: bool,
    quiet: bool,
) -> None:
    """Send files and HTTP APIs to the raw topics.

    PATH is a CSV, JSON Lines or Parquet file; CSV and JSON Lines may be compressed. Without PATH and URL, every `url` in the
    shop's sources.yaml is read. Ctrl-C stops; the same command resumes there.

    Exit codes: 0 all records delivered, 1 records not delivered, 2 error on the command line or in a file.
    """
    settings = load_settings(shop=shop)
    loaded = load_shop(settings.shop)
    collect_garbage_rarely()
    replay = Replay(settings, loaded, paths, only=entity, by_time=speed is not None)
    sources = replay.open()
    stop = Stop()
    try:
        with stop.listening(), Meter("replay", quiet=quiet, total=total(sources)) as meter:
            ensure_topics(settings, loaded.contracts)
            replay.run(sources, Pacer(rate, speed, TICK), meter, stop, loop=loop, resume=resume)
    except DeliveryError as error:
        raise failed(error) from None
    if stop:
        raise click.exceptions.Exit(stop.exit_code)
