"""``headrace notify``: says where incidents are told, and whether a message gets there."""

from __future__ import annotations

import sys

import click

from stream_app.notify import Notifier
from stream_app.settings import load_settings


@click.command(name="notify")
@click.option("--test", is_flag=True, help="Send a test message to every address.")
def command(test: bool) -> None:
    """Say where HEADRACE_NOTIFY tells people of incidents; addresses are shown without tokens and passwords.

    With --test, exit code 1 says that an address did not take the message.
    """
    settings = load_settings()
    notifier = Notifier.of(settings.notify)
    if not notifier:
        click.echo("nobody is told: HEADRACE_NOTIFY is not set")
        sys.exit(1 if test else 0)
    if not test:
        for name, _ in notifier.channels:
            click.echo(name)
        click.echo(f"from severity {settings.notify_severity} on, at most {settings.notify_per_hour} messages an hour")
        return
    outcomes = notifier.send("Headrace: test message", "If you can read this, incidents will reach you here.")
    for outcome in outcomes:
        click.echo(f"{'sent' if outcome.delivered else 'FAILED':8}{outcome.channel}")
    if not all(outcome.delivered for outcome in outcomes):
        sys.exit(1)
