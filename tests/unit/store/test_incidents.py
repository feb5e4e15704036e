"""Incidents are read by time and state."""

from __future__ import annotations

from typing import Any

from stream_app.monitor import Incident
from stream_app.store.incidents import incidents
from tests.support.windows import HOUR


def incident(start: int, state: str = "open", **more: Any) -> Incident:
    fields: dict[str, Any] = {
        "id": f"orders.volume.{start}", "entity": "orders", "metric": "volume", "severity": "error", "state": state,
        "start": start, "end": start + HOUR, "grain": "h", "windows": 1, "observed": 0.0, "expected": 40.0, "low": 20.0,
        "high": 70.0, "unit": "records", "direction": "low", "segment": ("country", "Japan", 0.1, 1.0), "updated": start + HOUR,
    }  # fmt: skip
    return Incident(**fields | more)


def test_incidents_are_read_by_time_and_state() -> None:
    rows = [incident(start, state).to_json() for start, state in ((0, "closed"), (HOUR, "open"), (9 * HOUR, "closed"))]
    rows.append("{}")
    assert [one.start for one in incidents(rows)] == [9 * HOUR, HOUR, 0]
    assert [one.start for one in incidents(rows, state="open")] == [HOUR]
    assert [one.start for one in incidents(rows, since=HOUR)] == [9 * HOUR, HOUR]
    assert [one.start for one in incidents(rows, since=5 * HOUR, until=9 * HOUR)] == [HOUR]
    assert [one.start for one in incidents(rows, limit=1)] == [9 * HOUR]
