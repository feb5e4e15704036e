"""``headrace dashboard``: serves the live dashboard with Streamlit."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import subprocess
import sys
from pathlib import Path

import click

from stream_app.settings import load_settings


def streamlit_command(host: str, port: int) -> list[str]:
    """The command line that serves the dashboard; its look and manners are in ``dashboard/.streamlit``."""
    found = importlib.util.find_spec("dashboard.app")
    if found is None or found.origin is None:
        raise click.ClickException("the package dashboard is not installed: reinstall headrace")
    return [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        str(Path(found.origin)),
        f"--server.address={host}",
        f"--server.port={port}",
        "--server.headless=true",
        "--browser.gatherUsageStats=false",
    ]


@click.command(name="dashboard")
@click.option("--port", type=click.IntRange(1, 65_535), default=8501, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
def command(port: int, host: str) -> None:
    """Serve the live dashboard of the shop whose Redis HEADRACE_REDIS names, until stopped.

    It has no log-in. Beyond this machine, serve it behind a proxy that has one.
    """
    load_settings()  # a wrong setting is better told here than on a page
    if not _is_loopback(host):
        click.echo(f"headrace: the dashboard has no log-in, and whoever reaches {host}:{port} sees it", err=True)
    arguments = streamlit_command(host, port)
    if os.name == "posix":
        # Signals reach Streamlit itself.
        os.execv(arguments[0], arguments)  # noqa: S606
    sys.exit(subprocess.call(arguments))  # noqa: S603


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
