"""``headrace simulate``: send the events of a seeded shop to the raw topics, or write them to files."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import click

from headrace.cli.errors import failed
from headrace.cli.options import DURATION, RATE, SHARE, SPEED, START, simulated_shop_option
from headrace.cli.progress import Meter
from headrace.interrupts import Stop
from producers import simulation
from producers.sending.pace import TICK, Pacer
from producers.simulator.fields import check_shop, has_visits
from producers.simulator.schedule import parse_schedule
from producers.simulator.simulator import Simulation
from producers.simulator.truth import TruthFile
from producers.simulator.visits import PER_ORDER
from stream_app.contract import load_shop
from stream_app.errors import DeliveryError
from stream_app.kafka.admin import ensure_topics
from stream_app.settings import load_settings


@click.command(name="simulate")
@simulated_shop_option
@click.option("--seed", type=int, default=7, show_default=True, help="Seed of the shop.")
@click.option("--rate", default="200/s", show_default=True, metavar="N/s", type=RATE,
              help="Orders per second, averaged over a week.")  # fmt: skip
@click.option("--count", type=click.IntRange(1), metavar="N", help="Stop after N orders; default: run until stopped.")
@click.option("--faults", default="3%", show_default=True, metavar="SHARE", type=SHARE, help="Share of records to break.")
@click.option(
    "--truth", type=click.Path(path_type=Path, dir_okay=False), help="Write the faults of broken records to this file."
)
@click.option("--truth-all", is_flag=True, help="With --truth: write a line for every record, not only for broken ones.")
@click.option("--incidents", metavar="SCHEDULE",
              help="Incidents to stage: random:5, or NAME@START+DURATION*MAGNITUDE,… such as outage@3d+6h.")  # fmt: skip
@click.option("--start", metavar="TIME", type=START, help="Event time of the first order, e.g. 2026-01-05; default: now.")
@click.option("--speed", default="1x", show_default=True, metavar="60x", type=SPEED, help="Seconds of event time per second.")
@click.option("--history", metavar="28d", type=DURATION, default=0, help="Event time to send as fast as possible at first.")
@click.option("--customers", type=click.IntRange(1, 1_000_000), default=1_000, show_default=True,
              help="Customers at the start.")  # fmt: skip
@click.option("--products", type=click.IntRange(1, 100_000), default=200, show_default=True, help="Number of products.")
@click.option("--visits", type=click.FloatRange(0, 1_000), default=PER_ORDER, show_default=True,
              help="Visits per order, if the contracts have visits; 0: none.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write JSON Lines files to this folder instead.")
@click.option("--quiet", is_flag=True, help="Print errors only.")
def command(
    *,
    shop: Path | None,
    seed: int,
    rate: float,
    count: int | None,
    faults: float,
    truth: Path | None,
    truth_all: bool,
    incidents: str | None,
    start: int | None,
    speed: float,
    history: int,
    customers: int,
    products: int,
    visits: float,
    out: Path | None,
    quiet: bool,
) -> None:
    """Send the events of a seeded shop to the raw topics.

    All products and the first customers come first, then visits and orders in a daily and weekly rhythm, with new customers
    and changed prices between them. The same options with the same --start produce the same bytes.

    Exit codes: 0 all records delivered, 1 records not delivered, 2 error on the command line or in a file.
    """
    settings = load_settings(shop=shop)
    loaded = load_shop(settings.shop)
    check_shop(loaded)
    if truth_all and truth is None:
        raise click.UsageError("--truth-all needs --truth FILE")
    if out is not None and count is None:
        raise click.UsageError("--out needs --count N, because files have an end")
    plan = Simulation(
        seed=seed,
        start_ms=int(time.time()) * 1000 if start is None else start,
        per_second=rate / speed,
        speed=speed,
        faults=faults,
        count=count,
        customers=customers,
        products=products,
        files=out is not None,
        visits=visits if has_visits(loaded) else 0.0,
    )
    if incidents is not None:
        plan = _with_incidents(plan, incidents)
    stop = Stop()
    try:
        with ExitStack() as stack:
            stack.enter_context(stop.listening())
            meter = stack.enter_context(Meter("simulate", quiet=quiet))
            known = None
            if truth is not None:
                file = TruthFile(truth, everything=truth_all, prefix=settings.topic_prefix, incidents=plan.incidents)
                known = stack.enter_context(file)
            if out is None:
                ensure_topics(settings, loaded.contracts)
                simulation.send(settings, plan, Pacer(speed=speed, tick=TICK), history, known, meter, stop)
            else:
                simulation.write(out, plan, known, meter, stop)
    except DeliveryError as error:
        raise failed(error) from None
    if stop:
        raise click.exceptions.Exit(stop.exit_code)


def _with_incidents(plan: Simulation, text: str) -> Simulation:
    if text.startswith("random:") and plan.count is None:
        raise click.UsageError("--incidents random:N needs --count N, because incidents are spread over the whole stream")
    found = parse_schedule(text, seed=plan.seed, start_ms=plan.start_ms, span_ms=plan.span_ms)
    lost = [incident.kind.name for incident in found if plan.files and not incident.kind.files]
    if lost and not text.startswith("random:"):
        raise click.UsageError(
            f"{lost[0]} does not show in files, where a record is judged as of its own time; leave it out, or omit --out"
        )
    return replace(plan, incidents=tuple(incident for incident in found if incident.kind.files or not plan.files))
