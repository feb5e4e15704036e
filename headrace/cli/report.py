"""``headrace report``: write the executive report of a period, once or repeatedly."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import click

from headrace.interrupts import Stop
from stream_app.errors import SettingsError, StoreError
from stream_app.settings import Settings, load_settings

_SUFFIXES = {".md": "markdown", ".html": "html", ".htm": "html", ".json": "json"}
#: Seconds between two checks if a report is due.
INTERVAL = 2.0


@click.command(name="report")
@click.option("--once", is_flag=True, help="Write one report and print it.")
@click.option("--every", metavar="LENGTH", help="Write a report for every period of this length, e.g. 15m, 24h or 7d.")
@click.option(
    "--period",
    "length",
    metavar="LENGTH",
    help="With --once: length of the period up to the stream's time, e.g. 24h; default: by the age of the stream.",
)
@click.option(
    "--from", "start", metavar="TIME", help="With --once: start of the period; of HEADRACE_TIMEZONE if without an offset."
)
@click.option("--to", "end", metavar="TIME", help="With --from: end of the period; default: the stream's time.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "html", "json"]),
    help="Default: by the ending of --output, else markdown.",
)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file instead of stdout.")
@click.option("--anew", is_flag=True, help="With --once: write the report again if it exists.")
@click.option("--facts", "show_facts", is_flag=True, help="Print the claims as a model reads them, and exit.")
@click.option("--prompt", "show_prompt", is_flag=True, help="Print the prompt as it would be sent, and exit.")
@click.option("--topic/--no-topic", default=True, help="Publish on the topic `reports` (default).")
def command(
    *,
    once: bool,
    every: str | None,
    length: str | None,
    start: str | None,
    end: str | None,
    form: str | None,
    output: Path | None,
    anew: bool,
    show_facts: bool,
    show_prompt: bool,
    topic: bool,
) -> None:
    """Write the executive report of a period of event time.

    Headrace writes every statement and figure. With HEADRACE_LLM_MODEL set, a model chooses and orders them, and adds its
    opinion in words of a closed vocabulary. Without a model, or if it fails, a template chooses. One report per period and
    language is kept.
    """
    if sum((once, every is not None, show_facts, show_prompt)) != 1:
        raise click.UsageError("give exactly one of --once, --every LENGTH, --facts and --prompt")
    if every is not None and (length or start or end or form or output or anew):
        raise click.UsageError("--every writes each period as it ends; leave out the options that are for --once")
    if (end and not start) or (start and length):
        raise click.UsageError("give the period as --period LENGTH, or as --from TIME with an optional --to TIME")
    settings = load_settings()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr)
    if every is not None:
        _watch(settings, every, topic=topic)
        return
    _once(settings, (length, start, end), form or _SUFFIXES.get(output.suffix.lower() if output else "", "markdown"),
          output, anew=anew, show="facts" if show_facts else "prompt" if show_prompt else None, topic=topic)  # fmt: skip


def _once(
    settings: Settings,
    which: tuple[str | None, str | None, str | None],
    form: str,
    output: Path | None,
    *,
    anew: bool,
    show: str | None,
    topic: bool,
) -> None:
    from reporter.build import reporter_of
    from reporter.periods import Period, parse_length, parse_moment, up_to
    from reporter.prompt import for_model, question
    from reporter.service import NOTHING_YET
    from stream_app.windows.grain import LONGEST

    reporter = reporter_of(settings, topic=topic)
    length, start, end = which
    _, stream_ms = reporter.stream()
    if stream_ms is None:
        raise StoreError(NOTHING_YET)
    if start is not None:
        until = parse_moment(end, reporter.zone) if end else up_to(stream_ms, 60).end
        period = Period(parse_moment(start, reporter.zone), until)
        if period.length <= 0:
            raise SettingsError("the period ends before it starts; give --to a later time than --from")
        if period.length > LONGEST:
            raise SettingsError("the period is longer than 366 days; give --from a later time")
    else:
        period = up_to(stream_ms, parse_length(length)) if length else reporter.suggested()
    provisional = not reporter.is_over(period)
    if show is not None:
        facts = reporter.facts_so_far(period) if provisional else reporter.facts(period)
        claims = reporter.claims(facts)
        shown = for_model(facts, claims) if show == "facts" else question(facts, claims, settings.llm_model or "")
        _print(json.dumps(shown, ensure_ascii=False, indent=2) + "\n", output)
        return
    for doubt in reporter.doubts():
        click.echo(f"headrace: {doubt}", err=True)
    outcome = reporter.report(period, anew=anew, provisional=provisional)
    for problem in reporter.announce():
        click.echo(f"headrace: {problem}", err=True)
    report = outcome.report
    if not outcome.written_here:
        click.echo(f"headrace: report {report.id} exists already; --anew writes it again", err=True)
    if provisional:
        click.echo(
            f"headrace: report {report.id} is provisional, because its period is not over; `headrace report --every` "
            "replaces it by the final one",
            err=True,
        )
    text = {"markdown": report.markdown, "html": report.html, "json": report.to_json() + "\n"}[form]
    _print(text, output)


def _print(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{output} cannot be written ({error.strerror}); name another file with --output") from None


def _watch(settings: Settings, every: str, *, topic: bool) -> None:
    from reporter.build import reporter_of
    from reporter.periods import parse_length
    from reporter.watch import Watch

    watch = Watch(reporter_of(settings, topic=topic), parse_length(every), settings.grace)
    stop = Stop()
    with stop.listening():
        while not stop:
            outcome = watch.step()
            if outcome is not None and outcome.written_here:
                click.echo(f"report {outcome.report.id}: {outcome.report.report['headline']['text']}")
            stop.wait(INTERVAL)
