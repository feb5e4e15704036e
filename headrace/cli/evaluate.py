"""``headrace evaluate``: how well faults and incidents are found."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from headrace.cli.simulate import check_shop, share
from headrace.evaluation.report import Targets
from stream_app.contract import load_shop
from stream_app.settings import load_settings

#: Event time that a stream takes unless --per-hour says otherwise.
HOURS = 1_000


def _seeds(context: click.Context, parameter: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        seeds = tuple(dict.fromkeys(int(part) for part in value.split(",")))
    except ValueError:
        raise click.BadParameter(f"{value!r} are no seeds; write some such as 1,2,3") from None
    return seeds


def _targets(context: click.Context, parameter: click.Parameter, value: str | None) -> Targets | None:
    try:
        return None if value is None else Targets.parse(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}; write targets, or some such as rules=1,outliers=0.95,windows=2,alarms=1") from None


@click.command(name="evaluate")
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@click.option("--shop", type=click.Path(path_type=Path), help="Contracts with the built-in shop's fields; default: those.")
@click.option("--seeds", default="1,2,3,4,5", show_default=True, callback=_seeds, metavar="N,N,…", help="Shops to simulate.")
@click.option("--records", default=200_000, show_default=True, type=click.IntRange(1_000),
              help="Orders of each stream.")  # fmt: skip
@click.option("--per-hour", type=click.FloatRange(1.0, 1_000_000.0),
              help="Orders an hour of event time, on the average of a week; default: --records / 1000, six weeks.")  # fmt: skip
@click.option("--faults", default="3%", show_default=True, metavar="SHARE", callback=share,
              help="Share of broken records in the streams with faults.")  # fmt: skip
@click.option("--streams", default="quiet,faults,incidents", show_default=True, metavar="WHAT,…",
              help="Which streams to simulate of each seed.")  # fmt: skip
@click.option("--jobs", default=2, show_default=True, type=click.IntRange(1, 64), help="Streams at a time.")
@click.option("--truth", type=click.Path(path_type=Path, dir_okay=False, exists=True),
              help="Compare with this truth file of `headrace simulate`: PATHs that it wrote, or --topics.")  # fmt: skip
@click.option("--topics", is_flag=True, help="Compare what the workers made of the simulated stream.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--markdown", type=click.Path(path_type=Path, dir_okay=False), help="Put the tables into this page.")
@click.option("--require", metavar="TARGETS", callback=_targets,
              help="Exit 1 unless reached: targets for the usual ones, or some such as rules=1,windows=2.")  # fmt: skip
def command(
    paths: tuple[str, ...],
    shop: Path | None,
    seeds: tuple[int, ...],
    records: int,
    per_hour: float | None,
    faults: float,
    streams: str,
    jobs: int,
    truth: Path | None,
    topics: bool,
    as_json: bool,
    markdown: Path | None,
    require: Targets | None,
) -> None:
    """Say how well faults and incidents are found: precision and recall of rules, delay of incidents, false alarms.

    Simulates streams of the built-in shop (nothing broken, a share of the records broken, incidents staged), runs them
    through judge, look-ups, windows and monitor in memory, and compares what was found with what was done.

    Exit codes: 0 compared, 1 a required target is not reached, 2 something to cure first.
    """
    from headrace.evaluation import compare, table, trials
    from headrace.evaluation import topics as workers

    if (truth is None) != (not paths and not topics) or (paths and topics):
        raise click.UsageError("--truth FILE goes with the PATHs that were simulated with it, or with --topics")
    targets = require or Targets()
    settings = load_settings(shop=shop)
    folder = settings.shop
    described = load_shop(folder)
    check_shop(described)
    if markdown is not None:
        # Now, and not when the work of minutes is done.
        table.surroundings(markdown)
    if truth is not None and topics:
        report, about = workers.topics(settings, described, truth), f"Topics compared with {truth.name}."
    elif truth is not None:
        report, about = compare.files(described, truth, list(paths)), f"Files compared with {truth.name}."
    else:
        plan = trials.Plan(seeds, records, per_hour or records / HOURS, faults, trials.streams_of(streams), folder)
        report, about = trials.evaluate(plan, jobs, lambda line: click.echo(line, err=True)), plan.about()
    if markdown is not None:
        shown = "headrace evaluate --markdown docs/quality.md"
        table.write(markdown, table.markdown(report, targets, shown, about))
    if as_json:
        click.echo(json.dumps(report.to_json(targets), ensure_ascii=False, indent=2))
    else:
        for line in table.lines(report, targets):
            click.echo(line)
    if require is not None and report.unmet(targets):
        click.echo("headrace: required targets are not reached", err=True)
        sys.exit(1)
