"""``headrace worker``: judge the raw topics until stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click

from headrace import interrupts
from headrace.cli.errors import failed
from headrace.cli.extras import require
from headrace.cli.options import shop_option
from headrace.embedded.child import GUARD
from stream_app.contract import load_shop
from stream_app.errors import DeliveryError
from stream_app.settings import load_settings


@click.command(name="worker")
@shop_option
@click.option("--group", metavar="NAME", help="Consumer group; workers of one group share the partitions.")
@click.option(
    "--processes",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Workers to start on this machine; at most one per core.",
)
def command(shop: Path | None, group: str | None, processes: int) -> None:
    """Judge the raw topics until stopped. Any number of workers share the partitions.

    Exit codes: 0 after SIGTERM or Ctrl-C, with the current batch finished and committed (130 or 143 during the start); 1 if
    Kafka or Redis was unavailable for HEADRACE_GIVE_UP_AFTER seconds, also at the start, or refuses for good; 2 error in a
    setting or a contract.
    """
    require("aiokafka", "faust")
    settings = load_settings(shop=shop, group=group)
    described = load_shop(settings.shop)
    from stream_app.kafka.admin import ensure_topics

    def say(line: str) -> None:
        click.echo(f"headrace: {line}", err=True)

    try:
        topic_ids = ensure_topics(settings, described.contracts, settings.give_up_after, say)
    except DeliveryError as error:
        raise failed(error) from None
    if processes > 1:
        arguments = [*(["--shop", str(shop)] if shop else []), *(["--group", group] if group else [])]
        sys.exit(side_by_side(arguments, processes))
    from stream_app.worker.run import run

    sys.exit(run(described, settings, topic_ids, early=interrupts.received))


def side_by_side(arguments: list[str], processes: int) -> int:
    """Run several workers until a signal or until one ends, stop the others, and return the first exit code that is not 0."""
    # The guard ends a worker whose parent was killed.
    line = [sys.executable, "-I", "-S", str(GUARD), str(os.getpid()), sys.executable, "-m", "headrace", "worker", *arguments]
    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: stopping.append(received))
    if (early := interrupts.received()) is not None:
        stopping.append(early)
    workers = [subprocess.Popen(line, start_new_session=True) for _ in range(processes)]  # noqa: S603 - our own command
    while not stopping and all(worker.poll() is None for worker in workers):
        time.sleep(0.1)
    ended = [code for worker in workers if (code := worker.poll()) is not None]
    for worker in workers:
        if worker.poll() is None:
            worker.terminate()
    codes = [*ended, *(worker.wait() for worker in workers)]
    return next((code if code > 0 else 1 for code in codes if code), 0)
