"""``headrace incidents``: list incidents by cause, show one, and act on one."""

from __future__ import annotations

import getpass
import json
import time
from datetime import UTC, datetime
from functools import partial
from typing import cast

import click

from headrace.cli.formats import printable
from stream_app.contract.money import in_units
from stream_app.errors import DocumentError, HeadraceError, SettingsError
from stream_app.kafka.acts import send
from stream_app.monitor.acts import KINDS, Act, Kind, Life, life_of_cause
from stream_app.monitor.causes import Cause, cause_of, causes, title
from stream_app.monitor.headline import headline
from stream_app.monitor.incident import Incident
from stream_app.settings import load_settings
from stream_app.store.acts import new_act, write
from stream_app.store.queries import Queries, open_queries
from stream_app.windows.as_of import is_shown
from stream_app.windows.calendar import iso, milliseconds, parse_moment
from stream_app.windows.zone import Zone

#: Incidents that are read.
MOST = 1_000
_UNITS = {"m": 60, "h": 3_600, "d": 86_400}


@click.group(name="incidents", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List incidents by cause, show one, and act on one.

    `headrace incidents list` is the default. `headrace incidents show ID` prints one cause; `headrace incidents act ID KIND`
    writes what a person says or does about it: to the topic `anomalies.acts` first, then to Redis.

    Times are those of `HEADRACE_TIMEZONE`, also of `--until` without an offset; `--json` prints UTC.
    """
    if context.invoked_subcommand is None:
        context.invoke(listed)


@command.command(name="list")
@click.option("--open", "only_open", is_flag=True, help="Only causes that are open and not settled.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def listed(*, only_open: bool = False, as_json: bool = False) -> None:
    """List the causes of incidents, the most severe first."""
    settings = load_settings()
    zone = Zone(settings.timezone)
    found, acts, currency = _read(open_queries(settings))
    rows = [(cause, _life(cause, acts)) for cause in found]
    if only_open:
        rows = [(cause, life) for cause, life in rows if cause.is_open and not life.settled]
    if as_json:
        click.echo(json.dumps([_document(cause, life, currency) for cause, life in rows], ensure_ascii=False, indent=2))
        return
    if not rows:
        click.echo("no incidents")
    for cause, life in rows:
        who = f", {life.owner}" if life.owner else ""
        click.echo(f"{cause.severity:8}{printable(title(cause, currency, zone.info))}")
        click.echo(f"        {life.state}{printable(who)}  {printable(cause.lead.id)}")


@command.command()
@click.argument("incident")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(*, incident: str, as_json: bool) -> None:
    """Show the cause that INCIDENT belongs to, and what people did about it."""
    settings = load_settings()
    zone = Zone(settings.timezone)
    found, acts, currency = _read(open_queries(settings))
    cause = _wanted(found, incident)
    life = _life(cause, acts)
    if as_json:
        click.echo(json.dumps(_document(cause, life, currency), ensure_ascii=False, indent=2))
        return
    state = f"{cause.severity}, {'open' if cause.is_open else 'closed'}, {life.state}"
    click.echo(f"{printable(title(cause, currency, zone.info))} ({state})")
    for one in cause.details:
        click.echo(f"  also: {_title(one, currency, zone)}")
    for act in life.acts:
        click.echo(f"  {_line(act, zone)}")


@command.command()
@click.argument("incident")
@click.argument("kind", type=click.Choice([kind.replace("_", "-") for kind in KINDS]))
@click.option("--by", default=None, help="Who acts; default: the user of this machine.")
@click.option("--text", default="", help="A note.")
@click.option("--to", default="", help="With assigned: who.")
@click.option("--until", default="", metavar="TIME", help="With muted: a moment or a length such as 8h.")
def act(*, incident: str, kind: str, by: str | None, text: str, to: str, until: str) -> None:
    """Write that somebody did KIND about INCIDENT."""
    settings = load_settings()
    zone, queries = Zone(settings.timezone), open_queries(settings)
    found, _, currency = _read(queries)
    cause = _wanted(found, incident)
    lead = cause.lead
    monitored = queries.monitored([lead.entity]).get(lead.entity)
    try:
        done = new_act(
            lead, cast("Kind", kind.replace("-", "_")), by or getpass.getuser(), text=text, to=to,
            until=_moment(until, zone) if until else None, judged=monitored.until if monitored is not None else None,
            others=cause.details,
        )  # fmt: skip
    except ValueError as error:
        if isinstance(error, HeadraceError):
            raise
        raise SettingsError(f"incidents act: {error}") from None
    write(settings, done, partial(send, settings))
    click.echo(f"{_title(lead, currency, zone)}: {_line(done, zone)}")


def _read(queries: Queries) -> tuple[list[Cause], tuple[Act, ...], str | None]:
    contracts = queries.contracts()
    currency = next((one.currency for one in contracts.values() if one.currency), None)
    return causes(queries.incidents(limit=MOST)), queries.acts(), currency


def _wanted(found: list[Cause], incident: str) -> Cause:
    cause = cause_of(found, incident)
    if cause is None:
        raise DocumentError("no incident has this id; `headrace incidents` lists all")
    return cause


def _life(cause: Cause, acts: tuple[Act, ...]) -> Life:
    return life_of_cause([one.id for one in cause.all], acts)


def _document(cause: Cause, life: Life, currency: str | None) -> dict[str, object]:
    return {
        "id": cause.lead.id, "title": title(cause, currency), "severity": cause.severity, "open": cause.is_open,
        "start": iso(cause.start * 1_000), "end": iso(cause.end * 1_000),
        "money": None if cause.effect is None else in_units(cause.effect, currency), "currency": currency,
        "state": life.state, "owner": life.owner or None, "incidents": [one.id for one in cause.all],
        "acts": [json.loads(one.to_json()) for one in life.acts],
    }  # fmt: skip


def _title(incident: Incident, currency: str | None, zone: Zone) -> str:
    # Values of segments are foreign.
    return printable(headline(incident, currency, zone.info))


def _line(done: Act, zone: Zone) -> str:
    parts = [f"{done.kind.replace('_', ' ')} by {done.by}, {_shown(done.at, zone)}"]
    if done.to:
        parts.append(f"to {done.to}")
    if done.until is not None:
        parts.append(f"until {_shown(done.until * 1_000, zone)}")
    if done.text:
        parts.append(done.text)
    return printable(", ".join(parts))


def _shown(ms: int, zone: Zone) -> str:
    return zone.moment(ms) if is_shown(ms) else "a time that no calendar shows"


def _moment(text: str, zone: Zone) -> int:
    """Seconds since the epoch of a moment, or of now plus a length."""
    if text[:-1].isdigit() and text[-1] in _UNITS:
        return int(time.time()) + int(text[:-1]) * _UNITS[text[-1]]
    found = parse_moment(text, zone.info)
    if found is None or found <= datetime.now(UTC):
        raise SettingsError("--until is not a moment to come, such as 2026-12-01T08:00, or a length, such as 8h")
    return milliseconds(found) // 1_000
