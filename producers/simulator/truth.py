"""Write the truth about a simulated stream to a file, never into the stream: one JSON object per record or incident."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from producers.simulator.incidents import Incident
from producers.simulator.simulator import Event
from stream_app.errors import SourceError


class TruthFile:
    """A JSON Lines file with one line per broken record (with ``everything``: per record) and per incident.

    The line of a record has `entity`, `topic`, `number` (position in the stream, from 0), `key`, `fault`, `rule` (must be
    found; null if none), `also` (rules that may be found too), `outcome` (`clean` or `rejected`; null if an incident changed
    the record), and its position: `partition` and `offset`, or `line` of a file (from 1). `incident` is the name of the
    incident that changed, repeated or delayed the record. The line of an incident (``Incident.to_json``) is written once the
    stream has reached its start.

    Raises:
        SourceError: the file cannot be written.
    """

    def __init__(self, file: Path, *, everything: bool, prefix: str = "", incidents: Iterable[Incident] = ()) -> None:
        self._everything = everything
        self._prefix = prefix
        self._ahead = deque(sorted(incidents, key=lambda incident: incident.start_ms))
        try:
            self._stream: TextIO = file.open("w", encoding="utf-8")
        except OSError as error:
            raise SourceError(f"{file}: cannot be written ({error.strerror}); name another file") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stream.close()

    def wants(self, event: Event) -> bool:
        """True if this event gets a line."""
        return self._everything or event.fault is not None or event.incident is not None

    def reach(self, at_ms: int) -> None:
        """Write the incidents that have started at this event time."""
        while self._ahead and self._ahead[0].start_ms <= at_ms:
            self._line(self._ahead.popleft().to_json())

    def write(self, event: Event, **position: Any) -> None:
        """Write the truth about one record that has arrived at ``position``."""
        record = event.record
        about = {"entity": record.entity, "topic": f"{self._prefix}{record.entity}", "number": event.number}
        self._line(about | {"key": record.key.decode() if record.key is not None else None, **truth_of(event), **position})

    def _line(self, line: dict[str, Any]) -> None:
        self._stream.write(json.dumps(line, separators=(",", ":")) + "\n")


def truth_of(event: Event) -> dict[str, Any]:
    """Return `fault`, `rule`, `also`, `outcome` and, if any, `incident` of a record."""
    fault, incident = event.fault, event.incident
    if incident is not None:
        truth: dict[str, Any] = {"fault": None, "rule": None, "also": list(incident.kind.rules), "outcome": None}
        return truth | {"incident": incident.kind.name}
    if fault is None:
        return {"fault": None, "rule": None, "also": [], "outcome": "clean"}
    return {"fault": fault.name, "rule": fault.rule, "also": list(fault.also), "outcome": fault.outcome}
