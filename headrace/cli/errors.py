"""Errors of a command that ran and failed."""

from __future__ import annotations

import click

from stream_app.errors import HeadraceError


def failed(error: HeadraceError) -> click.exceptions.Exit:
    """Print the error and return exit code 1; 2 is for errors that the user corrects on the command line or in a file."""
    click.echo(f"headrace: {error}", err=True)
    return click.exceptions.Exit(1)
