"""Writes what the simulator broke, and how, beside the stream and never into it: one JSON object per record."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from producers.simulator import Event
from stream_app.errors import SourceError


class TruthFile:
    """A JSON Lines file with one line per broken record, or per record when ``everything`` is wanted.

    Each line has `entity`, `topic`, `number` (of the record, from 0), `key`, `fault`, `rule` (one that must be found, or
    null), `outcome` (`clean` or `rejected`), and where it went: `partition` and `offset`, or `line` of a file (from 1).
    """

    def __init__(self, file: Path, *, everything: bool, prefix: str = "") -> None:
        self._everything = everything
        self._prefix = prefix
        try:
            self._stream: TextIO = file.open("w", encoding="utf-8")
        except OSError as error:
            raise SourceError(f"{file}: cannot be written ({error.strerror}); name another file") from None

    def __enter__(self) -> TruthFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stream.close()

    def wants(self, event: Event) -> bool:
        """Whether this event gets a line."""
        return self._everything or event.fault is not None

    def write(self, event: Event, **place: Any) -> None:
        """The truth about one record that has arrived at ``place``."""
        record, fault = event.record, event.fault
        line = {
            "entity": record.entity,
            "topic": f"{self._prefix}{record.entity}",
            "number": event.number,
            "key": record.key.decode() if record.key is not None else None,
            "fault": fault.name if fault else None,
            "rule": fault.rule if fault else None,
            "outcome": fault.outcome if fault else "clean",
            **place,
        }
        self._stream.write(json.dumps(line, separators=(",", ":")) + "\n")
