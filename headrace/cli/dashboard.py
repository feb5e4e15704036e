"""``headrace dashboard``: serve the live dashboard with Streamlit."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import click

from headrace.cli.extras import require
from stream_app.errors import SettingsError
from stream_app.settings import load_settings

#: Settings that Streamlit needs for a log-in with OpenID Connect.
LOGIN = ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url")


def streamlit_command(host: str, port: int) -> list[str]:
    """Return the command line that serves the dashboard; ``dashboard/.streamlit`` has its configuration."""
    found = importlib.util.find_spec("dashboard.app")
    if found is None or found.origin is None:
        raise click.ClickException("the package dashboard is not installed; install headrace again")
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
@click.option("--port", type=click.IntRange(1, 65_535), default=8501, show_default=True, help="Port to listen on.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
def command(port: int, host: str) -> None:
    """Serve the live dashboard until stopped; it reads the Redis of HEADRACE_REDIS.

    Without HEADRACE_DASHBOARD_LOGIN the dashboard has no log-in. Set it before other machines can reach the dashboard, or
    serve behind a proxy that has a log-in.
    """
    require("altair", "pandas", "streamlit")
    settings = load_settings()  # so that a wrong setting is reported here and not on a page
    arguments = streamlit_command(host, port)
    if settings.dashboard_login is not None:
        check_login(settings.dashboard_login, settings.dashboard_allow)
        arguments.append(f"--secrets.files={settings.dashboard_login.absolute()}")
        if settings.dashboard_login.stat().st_mode & 0o077 and os.name == "posix":
            click.echo(
                f"headrace: {settings.dashboard_login} is readable by other users of this machine; run chmod 600 on it",
                err=True,
            )
    elif not _is_loopback(host):
        click.echo(
            f"headrace: the dashboard has no log-in: everybody who reaches {host}:{port} sees it; set HEADRACE_DASHBOARD_LOGIN",
            err=True,
        )
    if os.name == "posix":
        # Signals reach Streamlit itself.
        os.execv(arguments[0], arguments)  # noqa: S606
    sys.exit(subprocess.call(arguments))  # noqa: S603


def check_login(file: Path, allowed: str) -> None:
    """Refuse incomplete settings of the log-in, so that a half-configured log-in never looks complete.

    Raises:
        SettingsError: the file cannot be read or lacks a setting, or nobody is allowed.
    """
    if not any(one.strip(" @") for one in allowed.split(",")):
        raise SettingsError(
            "HEADRACE_DASHBOARD_ALLOW: the list is empty; name e-mails and domains, such as ann@example.org,@example.com"
        )
    try:
        auth = tomllib.loads(file.read_text(encoding="utf-8")).get("auth")
    except OSError as error:
        raise SettingsError(f"HEADRACE_DASHBOARD_LOGIN: {file} cannot be read ({error.strerror}); name a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise SettingsError(
            f"HEADRACE_DASHBOARD_LOGIN: {file} is not TOML; docs/guides/dashboard.md shows the format"
        ) from None
    missing = [name for name in LOGIN if not isinstance(auth, dict) or not auth.get(name)]
    if missing:
        raise SettingsError(
            f"HEADRACE_DASHBOARD_LOGIN: {file} lacks {', '.join(missing)} in [auth]; docs/guides/dashboard.md shows the format"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
