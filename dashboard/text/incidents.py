"""Incidents in words: what was measured, what was expected, where, and what to look at."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from dashboard.text import formats, markup
from dashboard.text.words import visible
from stream_app.counts.summary import MINOR
from stream_app.store.incidents import Incident

_NAMES = {
    "volume": "Number of records",
    "revenue": "Revenue",
    "average_order": "Average order value",
    "conformity": "Conformity",
}
_DRIFT = {
    "appeared": "A new field appeared",
    "vanished": "A field vanished",
    "text": "Text changed its look",
    "type": "A field changed its type",
}
_ADVICE = {
    "volume": "See on the page Pipeline whether the input stopped or doubled, then ask the source what it sent.",
    "revenue": "Compare with the number of orders: fewer orders, or smaller ones? The page Quality has both.",
    "average_order": "Look for shifted decimal points in price or quantity, and for a campaign or a bulk buyer.",
    "conformity": "See on the page Quality which rule has more findings than before.",
    "finding": "Open the rule on the page Quality: it says what to do, and its findings open their records.",
    "null": "Ask the source whether the field is still filled where the record is made.",
    "mix": "See which value has more or less than usual; a source may be missing, or send twice.",
    "threshold": "The contract promises this of each period. Ask the source, or change the promise.",
    "drift": "The source has changed its records. Change the contract with it, or have the source change back.",
}


def what(incident: Incident) -> str:
    """What the incident is about: ``Revenue``, ``Findings of quantity.minimum``."""
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
    if kind == "drift":
        field, _, change = rest.rpartition(":")
        return f"{_DRIFT.get(change, 'Drift')}: {field}"
    return visible(incident.metric)


def reading(incident: Incident, currency: str | None) -> str:
    """The worst window against what was expected: ``112 instead of 180 to 260``, ``0.9 % instead of at most 0.2 %``.

    A band that begins at nothing, or below it, says only how much is too much. What is too little all the same, because
    it lasted, is told beside what was expected.
    """
    seen = amount(incident.observed, incident.unit, currency)
    low, high = incident.low, incident.high
    if low is not None and high is not None and (low > 0 or incident.direction != "low"):
        most = amount(high, incident.unit, currency)
        return (
            f"{seen} instead of {amount(low, incident.unit, currency)} to {most}"
            if low > 0
            else f"{seen} instead of at most {most}"
        )
    if incident.expected is not None:
        about = "about " if low is not None else ""
        return f"{seen} instead of {about}{amount(incident.expected, incident.unit, currency)}"
    return seen


def amount(number: float, unit: str, currency: str | None) -> str:
    """A number in the incident's unit."""
    if unit == "money":
        return formats.money(number / MINOR, currency)
    if unit == "share":
        return formats.percent(number, 2)
    if unit == "score":
        return f"score {number:.2f}"
    return formats.count(number)


def when(incident: Incident) -> str:
    """Since when, and until when where it is over."""
    if incident.state == "open":
        return f"since {formats.moment(incident.start * 1000)}"
    return f"{formats.moment(incident.start * 1000)}, for {lasted(incident)}"


def lasted(incident: Incident) -> str:
    """How long: ``3 h``."""
    seconds = max(60, incident.end - incident.start)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size or seconds % size == 0:
            return f"{round(seconds / size)} {unit}"
    return f"{seconds} s"


def advice(incident: Incident) -> str:
    """Where to look and whom to ask."""
    return _ADVICE.get(incident.metric.partition(":")[0], _ADVICE["conformity"])


def segment(incident: Incident) -> str:
    """The segment value that stands out; empty where none does."""
    if incident.segment is None:
        return ""
    field, value, there, elsewhere = incident.segment
    kind = incident.metric.partition(":")[0]
    if kind == "volume":
        told = f"{formats.percent(there, 0)} of the usual, elsewhere {formats.percent(elsewhere, 0)}"
    elif kind == "mix":
        told = f"{formats.percent(there)} now, {formats.percent(elsewhere)} before"
    else:
        told = f"{formats.percent(there)} there, {formats.percent(elsewhere)} elsewhere"
    return f"{visible(field)}: {visible(value)} ({told})"


def heading(incident: Incident) -> markup.Html:
    """What it is about and where, for a list or a head."""
    return markup.join(
        markup.tag("strong", what(incident)), markup.tag("span", " · ", cls="quiet"), markup.code(incident.entity)
    )


def gravest(rows: Sequence[Incident]) -> list[Incident]:
    """Errors before warnings, each as they came: a short list must not hide an error behind newer warnings."""
    return sorted(rows, key=lambda row: row.severity != "error")


def table(rows: Sequence[Incident], currency: str | None) -> pd.DataFrame:
    """Incidents, newest first."""
    return pd.DataFrame(
        {
            "Start": pd.Series(pd.to_datetime([row.start for row in rows], unit="s", utc=True)),
            "State": [row.state for row in rows],
            "Severity": [row.severity for row in rows],
            "Entity": [visible(row.entity) for row in rows],
            "What": [what(row) for row in rows],
            "Observed": [reading(row, currency) for row in rows],
            "Lasted": [lasted(row) for row in rows],
            "Segment": [segment(row) for row in rows],
        }
    )
