"""Option types and options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from producers.sending.pace import parse_rate, parse_speed
from producers.simulator.schedule import parse_duration
from stream_app.errors import SettingsError
from stream_app.windows.calendar import milliseconds, parse_moment


class Parsed(click.ParamType):
    """A parameter that ``parse`` makes of a text; its ValueError or SettingsError becomes the message."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the parsed value; a value that is not a text is returned unchanged."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except (ValueError, SettingsError) as error:
            self.fail(str(error), param, ctx)


def parse_share(text: str) -> float:
    """Return the share of ``98.5%`` or ``0.985``.

    Raises:
        ValueError: invalid format, or not between 0 and 1.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(%?)", text.strip())
    share = float(match[1]) / (100 if match[2] else 1) if match else -1.0
    if not 0 <= share <= 1:
        raise ValueError(f"{text!r} is not a share between 0% and 100%; write one such as 3% or 0.03")
    return share


def parse_start(text: str) -> int:
    """Return the milliseconds since the epoch, at a whole second, of ``2026-01-05T08:00:00Z`` or ``2026-01-05``.

    Raises:
        ValueError: invalid format, or before 1970.
    """
    moment = parse_moment(text) or parse_moment(f"{text}T00:00:00Z")
    if moment is None or milliseconds(moment) < 0:
        raise ValueError(f"{text!r} is not a time after 1970; write one such as 2026-01-05T08:00:00Z or 2026-01-05")
    return milliseconds(moment) // 1000 * 1000


RATE = Parsed("rate", parse_rate)
SPEED = Parsed("speed", parse_speed)
SHARE = Parsed("share", parse_share)
START = Parsed("time", parse_start)
DURATION = Parsed("duration", parse_duration)

#: ``--shop`` of every command that reads contracts.
shop_option = click.option(
    "--shop", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the contracts; default: the built-in shop."
)
#: ``--shop`` of commands that simulate.
simulated_shop_option = click.option(
    "--shop",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Contracts with the fields of the built-in shop; default: the built-in shop.",
)
