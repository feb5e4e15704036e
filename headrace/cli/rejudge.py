"""``headrace rejudge``: send dead letters to the raw topic again, so that they get a new verdict."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from headrace.cli.errors import failed
from headrace.cli.extras import require
from headrace.cli.options import Parsed, parse_start
from headrace.cli.progress import Meter
from headrace.interrupts import Stop
from stream_app.contract import load_shop
from stream_app.errors import DeliveryError, SettingsError
from stream_app.kafka.rejudge import Bound, Plan, Rejudging, Selection
from stream_app.retries import GaveUp
from stream_app.settings import load_settings


def parse_bound(text: str) -> Bound:
    """Return the limit that ``2026-01-05T08:00:00Z``, ``2026-01-05`` or an offset stands for.

    Raises:
        ValueError: it is none of them.
    """
    if text.isdecimal() and len(text) <= 18:
        return Bound(offset=int(text))
    try:
        return Bound(ms=parse_start(text))
    except ValueError:
        raise ValueError(f"{text!r} is neither an offset nor a time; write 1500, 2026-01-05 or 2026-01-05T08:00:00Z") from None


BOUND = Parsed("time|offset", parse_bound)


@click.command(name="rejudge")
@click.option("--entity", metavar="E", required=True, help="The entity whose rejected records are judged again.")
@click.option(
    "--from", "since", type=BOUND, required=True, metavar="TIME|OFFSET", help="As-of time or raw offset of the first record."
)
@click.option("--to", "until", type=BOUND, metavar="TIME|OFFSET", help="As-of time or raw offset up to which; excluded.")
@click.option("--partition", type=click.IntRange(min=0), metavar="N", help="Only records of this partition.")
@click.option("--rule", "rules", multiple=True, metavar="R", help="Only records with a finding of this rule; repeatable.")
@click.option("--dry-run", is_flag=True, help="Print what would be sent, and send nothing.")
@click.option(
    "--shop", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the contracts; default: the built-in shop."
)
@click.option("--quiet", is_flag=True, help="Print errors only.")
def command(
    *,
    entity: str,
    since: Bound,
    until: Bound | None,
    partition: int | None,
    rules: tuple[str, ...],
    dry_run: bool,
    shop: Path | None,
    quiet: bool,
) -> None:
    """Judge rejected records again, after the contract or the reference data were corrected.

    Dead letters are sent to the raw topic again: byte for byte, with their key, as-of time, number of attempts and former
    source. Each is received and counted once more. Clean records are not sent again: their keys are taken, and each would be
    rejected as a repeat of itself.

    Ctrl-C stops; the same command continues. When it has finished, it sends only the dead letters that came since.

    Exit codes: 0 all records sent, 1 records not sent, 2 error on the command line or in a contract.
    """
    require("aiokafka")
    settings = load_settings(shop=shop)
    loaded = load_shop(settings.shop)
    if entity not in loaded.contracts:
        raise SettingsError(f"--entity: the shop has no contract for {entity}; it has {', '.join(sorted(loaded.contracts))}")
    unknown = sorted({*rules} - {*loaded.contracts[entity].rules})
    if unknown:
        raise SettingsError(f"--rule: the contract of {entity} has no rule {unknown[0]}; `headrace contract` lists them")
    run = Rejudging(settings, Selection(entity, since, until, partition, frozenset(rules)))
    stop = Stop()
    with stop.listening(), Meter("rejudge", quiet=quiet) as meter:
        try:
            asyncio.run(_run(run, meter, stop, dry_run=dry_run))
        except (DeliveryError, GaveUp) as error:
            raise failed(error if isinstance(error, DeliveryError) else DeliveryError(str(error))) from None
    if stop:
        raise click.exceptions.Exit(stop.exit_code)


async def _run(run: Rejudging, meter: Meter, stop: Stop, *, dry_run: bool) -> None:
    from aiokafka.errors import KafkaError

    try:
        plan = await run.plan()
        _say(plan, meter, dry_run=dry_run)
        if dry_run:
            return
        if not run.resumable:
            meter.say("this broker has no transactions: a run that is stopped starts over")
        sent = await run.run(plan, lambda count: meter.update(count, lambda: count / max(1, plan.records)), lambda: bool(stop))
        meter.say(
            f"{sent:,} of {plan.records:,} records sent" + ("; the same command continues" if sent < plan.records else "")
        )
    except (KafkaError, TimeoutError) as error:
        raise DeliveryError(
            f"Kafka did not take all records ({type(error).__name__}); check the broker, then start the command again"
        ) from None
    finally:
        await run.close()


def _say(plan: Plan, meter: Meter, *, dry_run: bool) -> None:
    lines = [f"{plan.records:,} dead letters {'would be' if dry_run else 'are'} sent again"]
    lines += [f"  {count:>9,}  {rule}" for rule, count in plan.rules.most_common()]
    if plan.before:
        lines.append(f"{plan.before:,} were sent by an earlier run")
    if plan.changed:
        lines.append(f"{plan.changed:,} are left out: they were cut, or had neither key nor value; send them from their source")
    for line in lines:
        click.echo(line) if dry_run else meter.say(line)
