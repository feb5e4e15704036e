"""The ``headrace`` command: each subcommand is a module of ``headrace.cli``, imported when it is called."""

from __future__ import annotations

import errno
import importlib
import signal
import sys

import click

from headrace import interrupts
from stream_app.errors import HeadraceError

#: Subcommand → one line of help. The module ``headrace.cli.<name>`` holds a click command called ``command``.
COMMANDS = {
    "demo": "Run everything on embedded services and open the dashboard.",
    "check": "Judge files without Kafka or Redis.",
    "contract": "Check a shop's contracts; print their rules, JSON Schema or AsyncAPI.",
    "replay": "Send files or an HTTP API's records to the raw topics.",
    "simulate": "Send a seeded shop's events to the raw topics.",
    "evaluate": "Say how well faults and incidents are found: precision, recall, delay, false alarms.",
    "worker": "Judge the raw topics, until stopped.",
    "status": "Show totals, KPIs, freshness and lag.",
    "baseline": "Print what has been learned to be usual, to pin it.",
    "notify": "Show where incidents are told, or send a test message.",
    "dashboard": "Serve the live dashboard.",
    "report": "Write the executive report of a period, once or again and again.",
}


#: What the machine refuses, whatever is written: no fault of the program, so that nobody needs its traceback.
_ENVIRONMENT = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}


class Commands(click.Group):
    """A group that imports a subcommand only when it is needed, so that ``--help`` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"headrace.cli.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Ctrl-C is exit code 130, as in a shell: 1 would say that what was asked has come out badly. SIGTERM is 143.

        Commands that have something to bring to its end take both signals themselves.
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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="headrace")
def cli() -> None:
    """Headrace: a shop's raw events in, clean and dead-letter topics out, exact live counts.

    Settings come from HEADRACE_* environment variables; `docs/settings.md` lists them.
    """


def main() -> None:
    """Run the command line; a problem that the user can cure is one line on stderr and exit code 2."""
    try:
        cli(prog_name="headrace")
    except HeadraceError as error:
        click.echo(f"headrace: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        if error.errno not in _ENVIRONMENT:
            raise
        place = f"{error.filename}: " if error.filename else ""
        click.echo(f"headrace: {place}{error.strerror}; make room, or name a place that can be written", err=True)
        sys.exit(2)
