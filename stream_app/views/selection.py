"""Incidents and findings that fall into a range."""

from __future__ import annotations

from collections.abc import Iterable

from stream_app.counts.samples import RecentFinding
from stream_app.monitor.incident import Incident

#: Start and end in seconds of event time; None where the range is open (see ``ranges.bounds``).
Bounds = tuple[int | None, int | None]


def incidents_within(incidents: Iterable[Incident], bounds: Bounds) -> list[Incident]:
    """Return the incidents that touch the range."""
    since, until = bounds
    return [one for one in incidents if (since is None or one.end > since) and (until is None or one.start < until)]


def findings_within(findings: Iterable[RecentFinding], bounds: Bounds) -> list[RecentFinding]:
    """Return the findings in the range; a finding without an event time is in every range."""
    since, until = bounds
    return [
        one
        for one in findings
        if one.event_time is None
        or ((since is None or one.event_time >= since * 1000) and (until is None or one.event_time < until * 1000))
    ]


def gravest_first(incidents: Iterable[Incident]) -> list[Incident]:
    """Return errors before warnings, else in the same order, so that a short list does not hide an error."""
    return sorted(incidents, key=lambda one: one.severity != "error")
