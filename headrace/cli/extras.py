"""Packages that only a part of Headrace needs, and the extra (``pip install 'headrace[…]'``) that brings them."""

from __future__ import annotations

import sys
from importlib.util import find_spec

#: Import name → the part that needs the package, and the extra.
PACKAGES = {
    "aiokafka": ("the worker", "worker"),
    "faust": ("the worker", "worker"),
    "apprise": ("a notification", "worker"),
    "altair": ("the dashboard", "dashboard"),
    "pandas": ("the dashboard", "dashboard"),
    "streamlit": ("the dashboard", "dashboard"),
    "jinja2": ("the report", "report"),
    "openai": ("a report by a model", "report"),
    "simplemma": ("a report by a model", "report"),
}


def missing(error: ModuleNotFoundError) -> str | None:
    """Return the message for a package of an extra that is not installed; None if it is another module."""
    package = (error.name or "").partition(".")[0]
    if package not in PACKAGES:
        return None
    part, extra = PACKAGES[package]
    return f"{part} needs {package}; install it with pip install 'headrace[{extra}]'"


def require(*packages: str) -> None:
    """Check that packages are installed, before anything else is done that needs them.

    Raises:
        ModuleNotFoundError: one is not; ``missing`` makes the message.
    """
    for package in packages:
        if sys.modules.get(package) is None and find_spec(package) is None:
            raise ModuleNotFoundError(name=package)
