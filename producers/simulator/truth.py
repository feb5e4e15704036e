"""Writes what the simulator broke, and how, beside the stream and never into it: a JSON object per record or incident."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from producers.simulator.incidents import Incident
from producers.simulator.simulator import Event
from stream_app.errors import SourceError


class TruthFile:
    """A JSON Lines file with one line per broken record, or per record when ``everything`` is wanted, and per incident.

    A record's line has `entity`, `topic`, `number` (of the record, from 0), `key`, `fault`, `rule` (one that must be found,
    or null), `also` (rules that may be found besides), `outcome` (`clean` or `rejected`; null where an incident changed it),
    and where it went: `partition` and `offset`, or `line` of a file (from 1). Where an incident changed, repeated or
    delayed the record, `incident` is its name. An incident's line, written once the stream has come to its beginning, is
    ``Incident.to_json``.
    """

    def __init__(self, file: Path, *, everything: bool, prefix: str = "", incidents: Iterable[Incident] = ()) -> None:
        self._everything = everything
        self._prefix = prefix
        self._ahead = deque(sorted(incidents, key=lambda incident: incident.start_ms))
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
        return self._everything or event.fault is not None or event.incident is not None

    def reach(self, at_ms: int) -> None:
        """The stream has come to this moment of event time: write the incidents that have begun."""
        while self._ahead and self._ahead[0].start_ms <= at_ms:
            self._line(self._ahead.popleft().to_json())

    def write(self, event: Event, **place: Any) -> None:
        """The truth about one record that has arrived at ``place``."""
        record = event.record
        about = {"entity": record.entity, "topic": f"{self._prefix}{record.entity}", "number": event.number}
        self._line(about | {"key": record.key.decode() if record.key is not None else None, **truth_of(event), **place})

    def _line(self, line: dict[str, Any]) -> None:
        self._stream.write(json.dumps(line, separators=(",", ":")) + "\n")


def truth_of(event: Event) -> dict[str, Any]:
    """`fault`, `rule`, `also`, `outcome` and, where there is one, `incident` of a record."""
    fault, incident = event.fault, event.incident
    if incident is not None:
        told: dict[str, Any] = {"fault": None, "rule": None, "also": list(incident.kind.rules), "outcome": None}
        return told | {"incident": incident.kind.name}
    if fault is None:
        return {"fault": None, "rule": None, "also": [], "outcome": "clean"}
    return {"fault": fault.name, "rule": fault.rule, "also": list(fault.also), "outcome": fault.outcome}
