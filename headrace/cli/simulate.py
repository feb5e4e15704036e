"""`headrace simulate`: a seeded shop's events to the raw topics, or to files."""

from __future__ import annotations

import re
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import click

from headrace.cli.sending import STOP_SECONDS, Meter, rate_option, speed_option, undelivered
from headrace.interrupts import Stop
from producers.sending.delivery import Sender
from producers.sending.pace import TICK, Pacer
from producers.simulator.schedule import parse_duration, parse_schedule
from producers.simulator.simulator import Event, Simulation
from producers.simulator.truth import TruthFile
from stream_app.contract import Shop, load_shop
from stream_app.errors import DeliveryError, SettingsError, SourceError
from stream_app.kafka.admin import ensure_topics
from stream_app.settings import Settings, load_settings
from stream_app.windows.calendar import milliseconds, parse_moment

_FIELDS = {
    "orders": ("order_id", "customer_id", "product_id", "quantity", "price", "order_date"),
    "customers": ("customer_id", "name", "email", "country"),
    "products": ("product_id", "category", "unit_price"),
}


def share(context: click.Context, parameter: click.Parameter, value: str) -> float:
    """The callback of an option that is a share: 3% or 0.03."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(%?)", value.strip())
    part = float(match[1]) / (100 if match[2] else 1) if match else -1.0
    if not 0 <= part <= 1:
        raise click.BadParameter(f"{value!r} is no share; write one such as 3% or 0.03")
    return part


def _start(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    moment = parse_moment(value) or parse_moment(f"{value}T00:00:00Z")
    if moment is None or milliseconds(moment) < 0:
        raise click.BadParameter(f"{value!r} is no time; write one such as 2026-01-05T08:00:00Z or 2026-01-05")
    return milliseconds(moment) // 1000 * 1000


def history(context: click.Context, parameter: click.Parameter, value: str | None) -> int:
    """Milliseconds of event time that are not paced."""
    try:
        return parse_duration(value) if value else 0
    except SettingsError as error:
        raise click.BadParameter(str(error)) from None


@click.command(name="simulate")
@click.option("--shop", type=click.Path(path_type=Path), help="Contracts with the built-in shop's fields; default: those.")
@click.option("--seed", type=int, default=7, show_default=True, help="Another seed, another shop.")
@click.option("--rate", default="200/s", show_default=True, metavar="N/s", callback=rate_option,
              help="Orders a second, on the average of a week.")  # fmt: skip
@click.option("--count", type=click.IntRange(1), metavar="N", help="Stop after so many orders; default: until stopped.")
@click.option("--faults", default="3%", show_default=True, metavar="SHARE", callback=share, help="Share of broken records.")
@click.option("--truth", type=click.Path(path_type=Path, dir_okay=False), help="Write what was broken, and how, to this file.")
@click.option("--truth-all", is_flag=True, help="With --truth: a line for every record, not only for broken ones.")
@click.option("--incidents", metavar="WHAT",
              help="random:5, or NAME@START+DURATION*MAGNITUDE,... such as outage@3d+6h.")  # fmt: skip
@click.option("--start", metavar="TIME", callback=_start, help="Event time of the first order; default: now.")
@click.option("--speed", default="1x", show_default=True, metavar="60x", callback=speed_option,
              help="Event time so many times as fast as the clock.")  # fmt: skip
@click.option("--history", metavar="28d", callback=history, help="Send so much event time at first as fast as it goes.")
@click.option("--customers", type=click.IntRange(1, 1_000_000), default=1_000, show_default=True,
              help="Customers that are known at the start.")  # fmt: skip
@click.option("--products", type=click.IntRange(1, 100_000), default=200, show_default=True, help="Products of the shop.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write JSON Lines files to this folder instead.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
def command(
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
    out: Path | None,
    quiet: bool,
) -> None:
    """Send a seeded shop's events to the raw topics.

    First come all products and known customers, then orders by a daily and weekly rhythm, with new customers and changed
    prices between them. The same options and --start give the same bytes.
    """
    settings = load_settings(shop=shop)
    loaded = load_shop(settings.shop)
    check_shop(loaded)
    if truth_all and truth is None:
        raise click.UsageError("--truth-all needs --truth FILE")
    if out is not None and count is None:
        raise click.UsageError("--out needs --count N: files have an end")
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
                known = stack.enter_context(
                    TruthFile(truth, everything=truth_all, prefix=settings.topic_prefix, incidents=plan.incidents)
                )
            if out is None:
                ensure_topics(settings, loaded.contracts)
                _to_kafka(settings, plan, Pacer(speed=speed, tick=TICK), history, known, meter, stop)
            else:
                _to_files(out, plan, known, meter, stop)
    except DeliveryError as error:
        raise undelivered(error) from None
    if stop:
        raise click.exceptions.Exit(stop.exit_code)


def _with_incidents(plan: Simulation, text: str) -> Simulation:
    if text.startswith("random:") and plan.count is None:
        raise click.UsageError("--incidents random:N needs --count N: they are spread over the whole stream")
    found = parse_schedule(text, seed=plan.seed, start_ms=plan.start_ms, span_ms=plan.span_ms)
    lost = [incident.kind.name for incident in found if plan.files and not incident.kind.files]
    if lost and not text.startswith("random:"):
        raise click.UsageError(f"{lost[0]} cannot be told in files, where a record is judged as of its own time; leave it out")
    return replace(plan, incidents=tuple(incident for incident in found if incident.kind.files or not plan.files))


def check_shop(shop: Shop) -> None:
    """Refuse a shop without the fields that the simulator makes.

    Raises:
        SettingsError: an entity or a field is missing.
    """
    for entity, names in _FIELDS.items():
        contract = shop.contracts.get(entity)
        missing = set(names) - {field.name for field in contract.fields} if contract else set(names)
        if missing:
            raise SettingsError(
                f"{shop.folder}: the simulator makes the built-in shop's events, and {entity} lacks "
                f"{', '.join(sorted(missing))}; unset HEADRACE_SHOP, or replay files of this shop"
            )


def _to_kafka(
    settings: Settings, plan: Simulation, pacer: Pacer, history: int, truth: TruthFile | None, meter: Meter, stop: Stop
) -> None:
    def acknowledged(event: Event | None, partition: int | None, offset: int | None) -> None:
        if event is not None and truth is not None:
            truth.write(event, partition=partition, offset=offset)

    sender = Sender(settings, acknowledged if truth else None)
    counts: Counter[str] = Counter()
    try:
        for event in plan.events():
            delay = pacer.delay(event.at_ms) if event.at_ms - plan.start_ms >= history else 0.0
            if delay > 0.001:
                sender.settle()
                stop.wait(delay)
            if stop:
                break
            if truth is not None:
                truth.reach(event.at_ms)
            sender.send(event.record, event if truth is not None and truth.wants(event) else None)
            counts[event.record.entity] += 1
            if not event.number & 0x3F:
                meter.update(sender.settled, lambda: counts["orders"] / plan.count if plan.count else None)
        if stop:
            sender.flush(STOP_SECONDS)
        else:
            sender.finish()
    finally:
        sender.close()
    _say(meter, sender.settled, counts, "delivered")


def _to_files(folder: Path, plan: Simulation, truth: TruthFile | None, meter: Meter, stop: Stop) -> None:
    counts: Counter[str] = Counter()
    with ExitStack() as stack:
        files: dict[str, BinaryIO] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for entity in _FIELDS:
                files[entity] = stack.enter_context((folder / f"{entity}.jsonl").open("xb"))
        except FileExistsError as error:
            raise SourceError(f"{error.filename} exists already; remove it or name another folder") from None
        except OSError as error:
            raise SourceError(f"{folder}: cannot be written ({error.strerror}); name another folder") from None
        for event in plan.events():
            if stop:
                break
            entity = event.record.entity
            files[entity].write(event.record.value + b"\n")
            counts[entity] += 1
            if truth is not None:
                truth.reach(event.at_ms)
                if truth.wants(event):
                    truth.write(event, line=counts[entity])
            if not event.number & 0xFF:
                meter.update(event.number, lambda: counts["orders"] / plan.count if plan.count else None)
    _say(meter, counts.total(), counts, f"written to {folder}")


def _say(meter: Meter, total: int, counts: Counter[str], what: Any) -> None:
    seconds = meter.seconds()
    parts = ", ".join(f"{entity} {number:,}" for entity, number in counts.items())
    meter.say(f"{total:,} records {what} in {seconds:,.1f} s, {total / max(seconds, 1e-9):,.0f}/s ({parts})")
