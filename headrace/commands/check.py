"""``headrace check``: judges files without Kafka or Redis."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import click

from stream_app.contract import load_shop
from stream_app.settings import load_settings


class Share(click.ParamType):
    """A share as ``98.5%`` or ``0.985``."""

    name = "share"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip()
        try:
            share = float(text[:-1]) / 100 if text.endswith("%") else float(text)
        except ValueError:
            self.fail(f"{text!r} is no share; write 98% or 0.98", param, ctx)
        if not 0 <= share <= 1:
            self.fail(f"{text!r} is not between 0% and 100%; write 98% or 0.98", param, ctx)
        return share


@click.command(name="check")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--shop", type=click.Path(path_type=Path), help="Folder of the shop's contracts; default: the built-in shop.")
@click.option("--json", "as_json", is_flag=True, help="Print the shape of `headrace status --json`.")
@click.option("--min-conformity", type=Share(), help="Exit 1 when less than this share of the records is clean, e.g. 98%.")
@click.option(
    "--write",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for clean and rejected records (JSON Lines).",
)
@click.option(
    "--learned",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File for what was learned to be usual, to be pinned with HEADRACE_BASELINE.",
)
def command(
    paths: tuple[str, ...],
    shop: Path | None,
    as_json: bool,
    min_conformity: float | None,
    write: Path | None,
    learned: Path | None,
) -> None:
    """Judge files without Kafka or Redis: the same judge, references and uniqueness in memory.

    Exit codes: 0 judged, 1 below --min-conformity, 2 something to cure first (a path, a contract).
    """
    from headrace.check import Check
    from producers.sources import open_sources
    from stream_app.worker.baselines import pinned

    settings = load_settings(shop=shop)
    described = load_shop(settings.shop)
    run = Check(
        described,
        now_ms=int(time.time() * 1000),
        max_bytes=settings.max_record_bytes,
        write=write,
        baselines=pinned(settings.baseline) if settings.baseline is not None else None,
    )
    for source in open_sources(described, list(paths), token=settings.source_token):
        run.judge(source)
    summary = run.finish()
    if learned is not None:
        baselines = {entity: json.loads(one.to_json()) for entity, one in run.baselines().items()}
        learned.write_text(json.dumps(baselines, ensure_ascii=False, indent=1), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(summary, ensure_ascii=False, indent=2))
    else:
        for line in run.lines(summary):
            click.echo(line)
    conformity = summary["kpis"]["conformity"]
    if min_conformity is not None and (conformity is None or conformity < min_conformity):
        shown = "nothing was judged" if conformity is None else f"conformity is {conformity:.2%}"
        click.echo(f"headrace: {shown}, below the {min_conformity:.2%} asked for", err=True)
        sys.exit(1)
