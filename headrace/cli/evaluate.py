"""``headrace evaluate``: measure how well faults and incidents are found."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from headrace.cli.options import SHARE, Parsed, simulated_shop_option
from headrace.evaluation.report import Targets
from producers.simulator.fields import check_shop
from stream_app.contract import load_shop
from stream_app.settings import load_settings

#: Hours of event time of a stream, unless --per-hour is given.
HOURS = 1_000


def parse_seeds(text: str) -> tuple[int, ...]:
    """Return the seeds of ``1,2,3``, each once.

    Raises:
        ValueError: invalid format.
    """
    try:
        return tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        raise ValueError(f"{text!r} is not a list of seeds; write one such as 1,2,3") from None


SEEDS = Parsed("seeds", parse_seeds)
TARGETS = Parsed("targets", Targets.parse)


@click.command(name="evaluate")
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@simulated_shop_option
@click.option("--seeds", default="1,2,3,4,5", show_default=True, type=SEEDS, metavar="N,N,…", help="Seeds of the shops.")
@click.option("--records", default=200_000, show_default=True, type=click.IntRange(1_000), help="Orders per stream.")
@click.option("--per-hour", type=click.FloatRange(1.0, 1_000_000.0),
              help="Orders per hour of event time, averaged over a week; default: --records / 1000, six weeks.")  # fmt: skip
@click.option("--faults", default="3%", show_default=True, metavar="SHARE", type=SHARE,
              help="Share of records to break in the streams with faults.")  # fmt: skip
@click.option("--streams", default="quiet,faults,incidents", show_default=True, metavar="KIND,…",
              help="Streams to simulate per seed.")  # fmt: skip
@click.option("--jobs", default=2, show_default=True, type=click.IntRange(1, 64), help="Streams to run in parallel.")
@click.option("--truth", type=click.Path(path_type=Path, dir_okay=False, exists=True),
              help="Compare with this truth file of `headrace simulate`; needs its PATHs, or --topics.")  # fmt: skip
@click.option("--topics", is_flag=True, help="With --truth: compare what the workers made of the stream.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--markdown", type=click.Path(path_type=Path, dir_okay=False), help="Write the tables into this page.")
@click.option("--require", metavar="TARGETS", type=TARGETS,
              help="Exit 1 unless these targets are reached: `targets` (defaults), or e.g. rules=1,windows=2.")  # fmt: skip
def command(
    *,
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
    """Measure precision and recall of rules, delay of incidents, and false alarms.

    Streams of the built-in shop are simulated (quiet, with faults, with incidents) and run through judge, look-ups, windows
    and monitor in memory; findings and incidents are then compared with the truth.

    Exit codes: 0 compared, 1 a required target is not reached, 2 error on the command line or in a file.
    """
    from headrace.evaluation import compare, table, trials
    from headrace.evaluation import topics as workers

    if (truth is None) != (not paths and not topics) or (paths and topics):
        raise click.UsageError("--truth FILE needs the PATHs that were simulated with it, or --topics")
    targets = require or Targets()
    settings = load_settings(shop=shop)
    folder = settings.shop
    described = load_shop(folder)
    check_shop(described)
    if markdown is not None:
        # Checked first, so that no work is lost.
        table.split_page(markdown)
    if truth is not None and topics:
        report, about = workers.compare_topics(settings, described, truth), f"Topics compared with {truth.name}."
    elif truth is not None:
        report, about = compare.compare_files(described, truth, list(paths)), f"Files compared with {truth.name}."
    else:
        plan = trials.Plan(seeds, records, per_hour or records / HOURS, faults, trials.streams_of(streams), folder)
        report, about = trials.evaluate(plan, jobs, lambda line: click.echo(line, err=True)), plan.about()
    if markdown is not None:
        shown = "headrace evaluate --markdown docs/explanation/quality.md"
        table.write(markdown, table.markdown(report, targets, shown, about))
    if as_json:
        click.echo(json.dumps(report.to_json(targets), ensure_ascii=False, indent=2))
    else:
        for line in table.lines(report, targets):
            click.echo(line)
    if require is not None and report.unmet(targets):
        click.echo("headrace: not all required targets are reached", err=True)
        sys.exit(1)
