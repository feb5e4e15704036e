"""Incidents in words, for messages to people. Segment values that a contract lists are the only values of records in them."""

from __future__ import annotations

from stream_app.contract.money import digits, in_units
from stream_app.monitor.incident import Change, Incident
from stream_app.windows.calendar import moment
from stream_app.windows.grain import Grain

_WHAT = {
    "volume": "number of records",
    "revenue": "revenue",
    "average_order": "average order value",
    "conformity": "conformity",
}
_UNITS = {Grain.MINUTE: "minute", Grain.HOUR: "hour", Grain.DAY: "day"}
_DRIFT = {
    "appeared": "an unknown field {field} appeared",
    "vanished": "field {field} vanished",
    "text": "field {field} arrives as text",
    "type": "field {field} changed its type",
}


def title(change: Change) -> str:
    """Return one line: ``orders: number of records is low (error)``."""
    incident = change.incident
    state = "over, " if change.kind == "closed" else ""
    return f"{incident.entity}: {subject(incident)} ({state}{incident.severity})"


def body(change: Change, currency: str | None = None) -> str:
    """Return when, how much and where: two to four sentences, each on its line."""
    incident = change.incident
    if incident.metric.startswith("lost:"):
        return (
            f"At most {figure(incident.observed, incident.unit)} records were deleted before a worker read them.\n"
            "Lengthen its retention, or add workers; send the records again if their source has them."
        )
    lines = [f"{_moment(incident.start)} to {_moment(incident.end)} UTC, {incident.windows} {_windows(incident)}."]
    expected = _expected(incident, currency)
    lines.append(f"Worst: {figure(incident.observed, incident.unit, currency)}{expected}.")
    if incident.segment is not None:
        field, value, there, elsewhere = incident.segment
        lines.append(f"Most of it where {field} is {value}: {there:.3g} there, {elsewhere:.3g} {_other(incident)}.")
    if change.kind == "closed":
        lines.append("It has recovered." if incident.outcome == "recovered" else "It has lasted and is the new normal.")
    return "\n".join(lines)


def subject(incident: Incident) -> str:
    """Return the metric and how it changed: ``number of records is low``, ``field price vanished``."""
    kind, _, rest = incident.metric.partition(":")
    if kind == "drift":
        field, _, how = rest.rpartition(":")
        return _DRIFT.get(how, "field {field} changed").format(field=field)
    what = {
        "finding": f"share of findings of {rest}",
        "null": f"share of empty {rest}",
        "mix": f"mix over {rest}",
        "threshold": f"promise {rest}",
        "lost": f"records of partition {rest}",
    }.get(kind, _WHAT.get(kind, incident.metric))
    if kind == "lost":
        return f"{what} are lost"
    if kind == "threshold":
        return f"{what} is broken"
    return f"{what} has changed" if incident.direction == "changed" else f"{what} is {incident.direction}"


def figure(value: float | None, unit: str, currency: str | None = None) -> str:
    """Return a value as people write it: money in units of the currency, shares in percent, a real minus sign."""
    if value is None:
        return "unknown"
    if unit == "share":
        text = f"{value * 100:.3g} %"
    elif unit == "money":
        text = f"{in_units(value, currency):,.{digits(currency)}f}"
    else:
        text = f"{value:,.0f}"
    return text.replace("-", "\N{MINUS SIGN}")


def _expected(incident: Incident, currency: str | None) -> str:
    if incident.low is not None and incident.high is not None:
        return f", expected {figure(incident.low, incident.unit, currency)} to {figure(incident.high, incident.unit, currency)}"
    for bound, words in ((incident.low, "at least"), (incident.high, "at most"), (incident.expected, "before it was")):
        if bound is not None:
            return f", {words} {figure(bound, incident.unit, currency)}"
    return ""


def _windows(incident: Incident) -> str:
    unit = _UNITS[incident.grain]
    return unit if incident.windows == 1 else f"{unit}s"


def _other(incident: Incident) -> str:
    return "before" if incident.metric.startswith("mix:") else "elsewhere"


def _moment(seconds: int) -> str:
    return moment(seconds * 1000).strftime("%Y-%m-%d %H:%M")
