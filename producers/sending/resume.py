"""Remembers how far a replay has come, in a small file under the user's cache folder."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FOLDER = Path("~/.cache/headrace/replay")
#: Seconds between two writings of the file.
INTERVAL = 1.0


@dataclass(frozen=True, slots=True)
class Position:
    """How far a replay is: ``records`` of round ``round`` (from 0) are acknowledged; ``span_ms`` is a round's length."""

    records: int = 0
    round: int = 0
    span_ms: int = 0


class Checkpoint:
    """The position of one replay. What identifies it (files, topics, cluster, options) is hashed into the file's name.

    The file holds numbers only. A folder that cannot be written makes the replay start over next time, nothing worse.
    """

    def __init__(self, identity: Mapping[str, Any], folder: Path | None = None) -> None:
        if folder is None:
            try:
                folder = _FOLDER.expanduser()
            except RuntimeError:
                # Who has no home folder, such as an unknown user in a container, has no place to remember it either.
                folder = Path(os.devnull)
        text = json.dumps(identity, sort_keys=True, default=str)
        self.file = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"
        #: Whether the position that was written last is there to go on from.
        self.kept = False
        self._written = 0.0

    def read(self) -> Position | None:
        """The position a former run has left; None when there is none that can be used."""
        try:
            data = json.loads(self.file.read_text("utf-8"))
            position = Position(**data)
        except (OSError, ValueError, TypeError):
            return None
        numbers = (position.records, position.round, position.span_ms)
        return position if all(type(number) is int and number >= 0 for number in numbers) else None

    def write(self, position: Position, *, now: bool = False) -> None:
        """Note the position: at once, or when the last writing is an interval ago."""
        clock = time.monotonic()
        if not now and clock - self._written < INTERVAL:
            return
        self._written = clock
        data = {"records": position.records, "round": position.round, "span_ms": position.span_ms}
        self.kept = False
        name = None
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.file.parent, suffix=".tmp")
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump(data, stream)
            Path(name).replace(self.file)
            self.kept = True
        except OSError:
            if name is not None:
                with suppress(OSError):
                    Path(name).unlink(missing_ok=True)

    def remove(self) -> None:
        """Forget the position: the replay is complete, or is to start over."""
        try:
            self.file.unlink(missing_ok=True)
        except OSError:
            return


def file_identity(path: Path) -> dict[str, Any]:
    """What tells one version of a file from another: place, size, time of change."""
    status = path.stat()
    return {"path": str(path.resolve()), "size": status.st_size, "changed": status.st_mtime_ns}
