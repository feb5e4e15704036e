"""The ``headrace`` command; the module of each subcommand is imported when it is called."""

from __future__ import annotations

import errno
import importlib
import signal
import sys

import click

from headrace import interrupts
from headrace.cli.extras import missing
from stream_app.errors import HeadraceError

#: Subcommand → one line of help. The module ``headrace.cli.<name>`` has a click command named ``command``.
COMMANDS = {
    "demo": "Run everything on embedded services and open the dashboard.",
    "check": "Judge files without Kafka or Redis.",
    "contract": "Check contracts; print their rules, JSON Schema or AsyncAPI.",
    "replay": "Send files and HTTP APIs to the raw topics.",
    "simulate": "Send the events of a seeded shop to the raw topics.",
    "evaluate": "Measure precision, recall, delay and false alarms on simulated streams.",
    "worker": "Judge the raw topics until stopped.",
    "rejudge": "Judge rejected records again.",
    "rebuild": "Make the store in Redis anew from the topics.",
    "status": "Show totals, key figures, freshness and lag.",
    "baseline": "Print the learned baselines, to pin them.",
    "notify": "List the addresses that incidents are sent to, or send a test message.",
    "incidents": "List incidents by cause, show one, and act on one.",
    "dashboard": "Serve the live dashboard.",
    "report": "Write the executive report of a period, once or repeatedly.",
}


#: Errors of the machine and not of the program, which need no traceback.
_ENVIRONMENT = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}


class Commands(click.Group):
    """A group that imports a subcommand only when it is needed, so that ``--help`` is fast."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names in the order of the help."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"headrace.cli.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the command. Exit code 130 after Ctrl-C and 143 after SIGTERM, as in a shell.

        Commands that must finish something handle both signals themselves.
        """
        interrupts.listen()
        try:
            from stream_app.settings import unknown_settings

            for line in unknown_settings():
                click.echo(f"headrace: {line}", err=True)
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("headrace: stopped", err=True)
            raise click.exceptions.Exit(128 + (interrupts.received() or signal.SIGINT)) from None

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="headrace")
def cli() -> None:
    """Headrace validates a shop's events while they stream: raw topics in, clean and dead-letter topics out, exact counts.

    Settings are environment variables; docs/reference/settings.md lists them.
    """


def main() -> None:
    """Run the command line; an error that the user can correct is one line on stderr and exit code 2."""
    try:
        cli(prog_name="headrace")
    except HeadraceError as error:
        click.echo(f"headrace: {error}", err=True)
        sys.exit(2)
    except ModuleNotFoundError as error:
        message = missing(error)
        if message is None:
            raise
        click.echo(f"headrace: {message}", err=True)
        sys.exit(2)
    except OSError as error:
        if error.errno not in _ENVIRONMENT:
            raise
        path = f"{error.filename}: " if error.filename else ""
        click.echo(f"headrace: {path}{error.strerror}; free disk space, or name a path that can be written", err=True)
        sys.exit(2)
