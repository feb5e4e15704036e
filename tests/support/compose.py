"""docker-compose.yml as Compose reads it."""

from __future__ import annotations

import re
from typing import Any

import yaml

from tests.support.paths import ROOT

#: The services that run this project's image.
OURS = ("worker", "reporter", "simulator", "dashboard")
#: ``${NAME:-default}``
VARIABLE = re.compile(r"\$\{[A-Z_]+:-([^}]*)\}")


def compose_file() -> dict[str, Any]:
    """The file, with the defaults of its variables filled in."""
    parsed: dict[str, Any] = yaml.safe_load(VARIABLE.sub(r"\1", (ROOT / "docker-compose.yml").read_text()))
    return parsed
