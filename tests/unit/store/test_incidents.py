"""Incidents are read by time and state."""

from __future__ import annotations

from stream_app.store.incidents import incidents
from tests.support.incidents import incident
from tests.support.windows import HOUR


def test_incidents_are_read_by_time_and_state() -> None:
    rows = [incident(start, state).to_json() for start, state in ((0, "closed"), (HOUR, "open"), (9 * HOUR, "closed"))]
    rows.append("{}")
    assert [one.start for one in incidents(rows)] == [9 * HOUR, HOUR, 0]
    assert [one.start for one in incidents(rows, state="open")] == [HOUR]
    assert [one.start for one in incidents(rows, since=HOUR)] == [9 * HOUR, HOUR]
    assert [one.start for one in incidents(rows, since=5 * HOUR, until=9 * HOUR)] == [HOUR]
    assert [one.start for one in incidents(rows, limit=1)] == [9 * HOUR]
