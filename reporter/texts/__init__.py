"""The reporter's own texts, one YAML file per language, with that language's notation of figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from stream_app.windows.zone import UTC, Zone

#: Languages of reports.
LANGUAGES = ("en", "de", "fr")


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of one language; ``zone``: whose clocks show its moments."""

    language: str
    all: Mapping[str, Any]
    zone: Zone = UTC

    def __call__(self, *path: str, **values: object) -> str:
        """Return the text at ``path`` with its ``{names}`` filled in; KeyError if it is missing."""
        found: Any = self.all
        for name in path:
            found = found[name]
        return str(found).format(**values) if values else str(found)

    def has(self, *path: str) -> bool:
        """True if there is a text at ``path``."""
        found: Any = self.all
        for name in path:
            if not isinstance(found, Mapping) or name not in found:
                return False
            found = found[name]
        return True


@cache
def texts(language: str) -> Texts:
    """Return the texts of one of LANGUAGES."""
    return Texts(language, yaml.safe_load(files(__package__).joinpath(f"{language}.yaml").read_text("utf-8")))
