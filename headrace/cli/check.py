"""``headrace check``: judge files without Kafka or Redis."""

from __future__ import annotations

import json
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headrace.cli.formats import revenue
from headrace.cli.options import SHARE, shop_option
from stream_app.contract import load_shop
from stream_app.contract.model import Severity
from stream_app.errors import SettingsError
from stream_app.settings import load_settings
from stream_app.windows.grain import Grain
from stream_app.windows.watermark import Finality

if TYPE_CHECKING:
    from headrace.check.check import Check


@click.command(name="check")
@click.argument("paths", nargs=-1, required=True, metavar="PATH|URL...")
@shop_option
@click.option("--entity", metavar="E", help="Judge only this entity; also names the entity of a file whose name does not.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in the shape of `headrace status --json`.")
@click.option("--min-conformity", type=SHARE, help="Exit 1 if a smaller share of the records is clean, e.g. 98%.")
@click.option(
    "--write",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write clean and rejected records to JSON Lines files in this folder.",
)
@click.option(
    "--learned",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the learned baselines to this file, for HEADRACE_BASELINE.",
)
def command(
    *,
    paths: tuple[str, ...],
    shop: Path | None,
    entity: str | None,
    as_json: bool,
    min_conformity: float | None,
    write: Path | None,
    learned: Path | None,
) -> None:
    """Judge files without Kafka or Redis; references and uniqueness are checked in memory.

    Exit codes: 0 judged, 1 below --min-conformity, 2 error on the command line, in a contract or in a file.
    """
    from headrace.check.check import Check, file_names
    from headrace.check.results import Results, overwritten
    from producers.sources.open import open_sources
    from stream_app.store.pinned import read_pinned

    settings = load_settings(shop=shop)
    described = load_shop(settings.shop)
    baselines = read_pinned(settings.baseline) if settings.baseline is not None else None
    # Sources are opened before anything is written, so that a wrong path leaves earlier results unchanged.
    sources = open_sources(described, list(paths), only=entity, token=settings.source_token)
    for source in sources:
        for remark in source.remarks:
            click.echo(remark, err=True)
    if write is not None:
        names = [name for each in described.contracts for name in file_names(each)]
        own = overwritten(write, names, (source.file.path for source in sources if source.file))
        if own is not None:
            raise click.UsageError(f"--write {write} would replace {own}, which is an input; name another folder")
    results = Results(write) if write is not None else None
    with results or nullcontext():
        run = Check(
            described,
            now_ms=int(time.time() * 1000),
            max_bytes=settings.max_record_bytes,
            results=results,
            baselines=baselines,
            finality=Finality(Grain.of(settings.anomaly_window), settings.window_grace),
        )
        for source in sources:
            run.judge(source)
        summary = run.finish()
    for source in sources:
        for note in source.notes():
            click.echo(note, err=True)
    if learned is not None:
        found = {entity: json.loads(one.to_json()) for entity, one in run.baselines().items()}
        try:
            learned.write_text(json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8")
        except OSError as error:
            raise SettingsError(f"{learned}: cannot be written ({error.strerror}); name another file with --learned") from None
    if as_json:
        click.echo(json.dumps(summary, ensure_ascii=False, indent=2))
    else:
        for line in lines(run, summary):
            click.echo(line)
    conformity = summary["kpis"]["conformity"]
    if min_conformity is not None and (conformity is None or conformity < min_conformity):
        shown = "no record was judged" if conformity is None else f"conformity is {conformity:.2%}"
        click.echo(f"headrace: {shown}; --min-conformity requires {min_conformity:.2%}", err=True)
        sys.exit(1)


def lines(run: Check, summary: dict[str, Any]) -> list[str]:
    """Return the summary as text: a block per entity, its findings with examples by record number."""
    from headrace.check.check import EXAMPLES

    shown: list[str] = []
    for entity, figures in summary["entities"].items():
        state = run.entities[entity]
        if not figures["in"]:
            continue
        share = "" if figures["conformity"] is None else f", conformity {figures['conformity']:.2%}"
        shown.append(
            f"{entity}: {figures['in']:,} records, {figures['clean']:,} clean, {figures['rejected']:,} rejected, "
            f"{figures['repaired']:,} repaired{share}"
        )
        order = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
        rows = sorted(figures["findings"].items(), key=lambda row: (order[state.contract.rules[row[0]].severity], -row[1]))
        for rule_id, count in rows:
            rule = state.contract.rules[rule_id]
            examples = ", ".join(f"{number:,}" for number in state.examples.get(rule_id, []))
            more = ", …" if count > EXAMPLES else ""
            shown.append(f"  {rule.severity:8} {count:>9,}  {rule_id}: {rule.message} (record {examples}{more})")
    kpis = summary["kpis"]
    if kpis["orders"]:
        line = f"{kpis['orders']:,} orders, {kpis['active_customers']:,} active customers, revenue {revenue(kpis)}"
        rate = kpis["conversion_rate"]
        shown.append(line if rate is None else f"{line}, conversion {rate:.1%} of {kpis['visits']:,} visits")
    return shown or ["no record was judged, because the files have no records"]
