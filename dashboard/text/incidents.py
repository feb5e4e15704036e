"""Incidents in words: what is wrong, what was observed and expected, when, where, and what to look at."""

from __future__ import annotations

from dashboard.text import formats
from dashboard.text.words import visible
from stream_app.contract.money import in_units
from stream_app.monitor.headline import added
from stream_app.monitor.incident import Incident

_NAMES = {
    "volume": "Number of records",
    "revenue": "Revenue",
    "average_order": "Average order value",
    "conformity": "Conformity",
}
_DRIFT = {
    "appeared": "{field} is new",
    "vanished": "{field} is missing",
    "text": "{field} arrives as text",
    "type": "{field} has another type",
}
_ADVICE = {
    "volume": "Check on the page Pipeline whether the input stopped or doubled, then ask the source what it sent.",
    "revenue": "Compare with the number of orders: are there fewer, or smaller ones? The page Quality shows rejected records.",
    "average_order": "Look for shifted decimal points in price or quantity, and for a campaign or a bulk buyer.",
    "conformity": "Check on the page Quality which rule has more findings than before.",
    "finding": "Open the rule on the page Quality: it says what to do, and the page Anomalies opens its records.",
    "null": "Ask the source whether the field is still filled where the record is created.",
    "mix": "Check which value has more or less than usual: a source may be missing, or send twice.",
    "threshold": "The contract promises this for every period. Ask the source, or change the promise.",
    "lost": "Retention deleted them before a worker read them: lengthen it, or add workers. Ask the source to send them again.",
    "drift": "The source has changed its records. Change the contract, or ask the source to change back.",
}
#: Outcome of a closed incident in words.
OUTCOMES = {"recovered": "recovered", "accepted": "the new normal", "lost": "cannot be undone"}
_GRAINS = {"m": "minute", "h": "hour", "d": "day"}


def what(incident: Incident) -> str:
    """Return what the incident is about: ``Revenue``, ``Findings of quantity.minimum``, ``price is missing``."""
    kind, _, rest = incident.metric.partition(":")
    if kind in _NAMES:
        return _NAMES[kind]
    rest = visible(rest)
    if kind == "finding":
        return f"Findings of {rest}"
    if kind == "null":
        return f"Empty values of {rest}"
    if kind == "mix":
        return f"Mix of {rest}"
    if kind == "threshold":
        return f"Promise {rest}"
    if kind == "lost":
        return f"Lost records of partition {rest}"
    if kind == "drift":
        field, _, change = rest.rpartition(":")
        return _DRIFT.get(change, "{field} has changed").format(field=field)
    return visible(incident.metric)


def reading(incident: Incident, currency: str | None) -> str:
    """Return what was observed in the worst window, and expected.

    ``112 instead of 180 to 260``, ``0.9 % instead of at most 0.2 %``; of a drift ``98 % of orders, 0 % before``.

    A band that begins at zero or below has only an upper limit. A value that is too low for too long may be inside its band,
    so then the expectation is named instead.
    """
    observed = amount(incident.observed, incident.unit, currency)
    if incident.metric.startswith("lost:"):
        return f"at most {observed} records"
    if incident.metric.startswith("drift:") and incident.unit == "share":
        before = "" if incident.expected is None else f", {formats.percent(incident.expected, 0)} before"
        return f"{formats.percent(incident.observed, 0)} of {visible(incident.entity)}{before}"
    low, high = incident.low, incident.high
    if low is not None and high is not None and (low > 0 or incident.direction != "low"):
        most = amount(high, incident.unit, currency)
        if low > 0:
            return f"{observed} instead of {amount(low, incident.unit, currency)} to {most}"
        return f"{observed} instead of at most {most}"
    if incident.expected is not None:
        about = "about " if low is not None else ""
        return f"{observed} instead of {about}{amount(incident.expected, incident.unit, currency)}"
    return observed


def brief(incident: Incident, currency: str | None) -> str:
    """Return the reading for a list: what a cumulative alarm adds up, else its worst window."""
    return added_up(incident, currency) or reading(incident, currency)


def added_up(incident: Incident, currency: str | None) -> str | None:
    """Return what small deviations of a cumulative alarm add up to; None of any other alarm.

    ``780 instead of about 1,140 over 12 hours together``; of shares and averages ``on average``.
    """
    total = added(incident)
    if total is None:
        return None
    windows_, observed, expected_ = total
    grain = _GRAINS.get(incident.grain, incident.grain)
    grain = grain if windows_ == 1 else f"{grain}s"
    how = "on average over" if incident.unit == "share" or incident.metric == "average_order" else "in all over"
    unit, money = incident.unit, currency
    return f"{amount(observed, unit, money)} instead of about {amount(expected_, unit, money)} {how} {windows_} {grain}"


def expected(incident: Incident, currency: str | None) -> str:
    """Return the expectation in the worst window."""
    return formats.NOTHING if incident.expected is None else amount(incident.expected, incident.unit, currency)


def amount(number: float, unit: str, currency: str | None) -> str:
    """Return a number in the incident's unit."""
    if unit == "money":
        return formats.money(in_units(number, currency), currency)
    if unit == "share":
        return formats.percent(number, 2)
    if unit == "score":
        return f"score {number:.2f}"
    return formats.count(number)


def when(incident: Incident) -> str:
    """Return the start, and the length of a closed incident."""
    if incident.state == "open":
        return f"since {formats.moment(incident.start * 1000)}"
    return f"{formats.moment(incident.start * 1000)}, for {lasted(incident)}"


def lasted(incident: Incident) -> str:
    """Return the length: ``3 h``."""
    seconds = max(60, incident.end - incident.start)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size or seconds % size == 0:
            return f"{round(seconds / size)} {unit}"
    return f"{seconds} s"


def windows(incident: Incident) -> str:
    """Return the number of anomalous windows: ``3 (of one hour each)``."""
    return f"{incident.windows} (of one {_GRAINS.get(incident.grain, incident.grain)} each)"


def advice(incident: Incident) -> str:
    """Return where to look and whom to ask."""
    return _ADVICE.get(incident.metric.partition(":")[0], _ADVICE["conformity"])


def segment(incident: Incident) -> str:
    """Return the segment value that stands out; empty if none does."""
    if incident.segment is None:
        return ""
    field, value, there, elsewhere = incident.segment
    kind = incident.metric.partition(":")[0]
    if kind == "volume":
        figures = f"{formats.percent(there, 0)} of the usual, elsewhere {formats.percent(elsewhere, 0)}"
    elif kind == "mix":
        figures = f"{formats.percent(there)} now, {formats.percent(elsewhere)} before"
    else:
        figures = f"{formats.percent(there)} there, {formats.percent(elsewhere)} elsewhere"
    return f"{visible(field)}: {visible(value)} ({figures})"
