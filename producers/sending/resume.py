"""Remember the position of a replay in a small file in the user's cache folder."""

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
#: Seconds between two writes of the file.
INTERVAL = 1.0


@dataclass(frozen=True, slots=True)
class Position:
    """The position of a replay: ``records`` of round ``round`` (from 0) are acknowledged; a round spans ``span_ms``."""

    records: int = 0
    round: int = 0
    span_ms: int = 0


class Checkpoint:
    """The file with the position of one replay; its name is a hash of the replay's identity (files, topics, cluster, options).

    The file contains numbers only. If its folder is not writable, the next run starts over.
    """

    def __init__(self, identity: Mapping[str, Any], folder: Path | None = None) -> None:
        if folder is None:
            try:
                folder = _FOLDER.expanduser()
            except RuntimeError:
                # A user without a home folder, such as an unknown user in a container: nothing is remembered.
                folder = Path(os.devnull)
        text = json.dumps(identity, sort_keys=True, default=str)
        self.file = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"
        #: True if the last position was written, so that a replay can continue from it.
        self.kept = False
        self._written = 0.0

    def read(self) -> Position | None:
        """Return the position of an earlier run; ``None`` if there is no valid one."""
        try:
            data = json.loads(self.file.read_text("utf-8"))
            position = Position(**data)
        except (OSError, ValueError, TypeError):
            return None
        numbers = (position.records, position.round, position.span_ms)
        return position if all(type(number) is int and number >= 0 for number in numbers) else None

    def write(self, position: Position, *, now: bool = False) -> None:
        """Write the position: at once if ``now``, else if the last write is an interval ago."""
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
        """Delete the file: the replay is complete, or starts over."""
        try:
            self.file.unlink(missing_ok=True)
        except OSError:
            return


def file_identity(path: Path) -> dict[str, Any]:
    """Return what distinguishes versions of a file: path, size, time of change."""
    status = path.stat()
    return {"path": str(path.resolve()), "size": status.st_size, "changed": status.st_mtime_ns}
