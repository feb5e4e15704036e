"""``headrace notify``: list the addresses that incidents are sent to, or send a test message."""

from __future__ import annotations

import sys

import click

from stream_app.notify import Notifier
from stream_app.settings import load_settings


@click.command(name="notify")
@click.option("--test", is_flag=True, help="Send a test message to every address.")
def command(*, test: bool) -> None:
    """List the addresses of HEADRACE_NOTIFY, without tokens and passwords.

    Exit code with --test: 1 if an address did not accept the message.
    """
    settings = load_settings()
    notifier = Notifier.of(settings.notify)
    if not notifier:
        click.echo("no address: set HEADRACE_NOTIFY to one or more Apprise URLs")
        sys.exit(1 if test else 0)
    if not test:
        for name, _ in notifier.channels:
            click.echo(name)
        click.echo(f"minimum severity: {settings.notify_severity}; maximum messages per hour: {settings.notify_per_hour}")
        return
    outcomes = notifier.send("Headrace: test message", "If you can read this, incidents will reach you here.")
    for outcome in outcomes:
        click.echo(f"{'sent' if outcome.delivered else 'FAILED':8}{outcome.channel}")
    if not all(outcome.delivered for outcome in outcomes):
        sys.exit(1)
