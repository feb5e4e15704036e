"""The title of an incident: one sentence that a manager reads, with what happened, where, since when, and the money.

``No orders from United Kingdom since 3 Sep 08:00, about $50k below expected``. Its only foreign texts are the names of
rules and fields, and segment values that a contract lists (others are numbers).
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from stream_app.contract.money import in_units
from stream_app.contract.segments import in_words
from stream_app.monitor.incident import Incident
from stream_app.windows.calendar import moment

#: Segment fields of geography: orders come *from* their values.
ORIGINS = frozenset({"country", "region", "state", "city", "market", "location"})
_SYMBOLS = {"GBP": "£", "USD": "$", "EUR": "€", "JPY": "¥", "INR": "₹"}
_DRIFT = {
    "appeared": "unknown field {field} in {share} of {entity}",
    "vanished": "{field} is missing in {share} of {entity}",
    "text": "{field} arrives as text in {share} of {entity}",
    "type": "{field} has another type in {share} of {entity}",
}
#: From this ratio on, a rise is a factor and not a percentage.
_FACTOR = 2.0


def headline(incident: Incident, currency: str | None = None, zone: tzinfo = UTC, *, because: str = "") -> str:
    """Return the title: subject, where, since when, and the money if it is known; ``because``: what explains it."""
    money = effect(incident, currency)
    what_and_why = f"{_capital(what(incident))}{f': {because}' if because else ''}"
    text = f"{what_and_why}{' ' if incident.state == 'open' and not because else ', '}{when(incident, zone)}"
    return f"{text}, {money}" if money else text


def what(incident: Incident) -> str:
    """Return what happened, without time and money: ``no orders from United Kingdom``."""
    kind, _, rest = incident.metric.partition(":")
    entity = incident.entity
    match kind:
        case "volume":
            return _volume(incident)
        case "mix":
            return _mix(incident, rest)
        case "revenue" | "average_order":
            observed, expected = _figures(incident)
            name = "revenue" if kind == "revenue" else "average order value"
            return f"{name} of {entity}{_where(incident)} {_compared(observed, expected, incident.direction)}"
        case "conformity":
            usual = None if incident.expected is None else 1 - incident.expected
            return f"{_shared(incident, 1 - incident.observed)} rejected{_against(incident, usual)}"
        case "finding":
            return f"{rest} in {_shared(incident, incident.observed)}{_against(incident, incident.expected)}"
        case "null":
            return f"{rest} is empty in {_percent(incident.observed)} of {entity}{_where(incident)}{_usual(incident)}"
        case "drift":
            field, _, how = rest.rpartition(":")
            words = _DRIFT.get(how, "{field} has changed in {share} of {entity}")
            return words.format(field=field, share=_percent(incident.observed), entity=entity)
        case "threshold":
            return f"promise {rest} of {entity} is broken"
        case "lost":
            return f"at most {incident.observed:,.0f} {entity} were deleted before they were read (partition {rest})"
    return f"{incident.metric} of {entity} is {incident.direction}"


def when(incident: Incident, zone: tzinfo = UTC) -> str:
    """Return ``since 3 Sep 08:00`` of an open incident, ``3 Sep 08:00 to 14:00`` of one that is over."""
    begin, end = (moment(at * 1000).astimezone(zone) for at in (incident.start, incident.end))
    if incident.state == "open":
        return f"since {_moment(begin)}"
    until = f"{end:%H:%M}" if begin.date() == end.date() else _moment(end)
    return f"{_moment(begin)} to {until}"


def effect(incident: Incident, currency: str | None) -> str:
    """Return ``about $50k below expected``; empty if it is unknown or less than one unit of the currency."""
    found = money_of(incident)
    if found is None:
        return ""
    amount = in_units(found, currency)
    if abs(amount) < 1:
        return ""
    return f"about {short_money(abs(amount), currency)} {'below' if amount < 0 else 'above'} expected"


def money_of(incident: Incident) -> float | None:
    """Return the effect in minor units; None if it is unknown.

    Less revenue in windows with too many records, or more with too few, is chance and not the incident's.
    """
    found = incident.effect
    if found is None or (incident.metric in {"volume", "revenue"} and (found > 0) != (incident.direction == "high")):
        return None
    return found


def short_money(amount: float, currency: str | None) -> str:
    """Return a positive amount with two significant digits: ``$50k``, ``£1.2M``, ``930 CHF``."""
    rounded = float(f"{amount:.2g}")
    text = f"{rounded:,.0f}"
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if rounded >= size:
            text = f"{rounded / size:.2g}{unit}" if rounded / size < 100 else f"{rounded / size:,.0f}{unit}"
            break
    symbol = _SYMBOLS.get(currency or "")
    return f"{symbol}{text}" if symbol else f"{text} {currency or ''}".rstrip()


def share(incident: Incident) -> float:
    """Return the part of the business that is not as expected, 0 to 1: what ranks incidents without money."""
    kind = incident.metric.partition(":")[0]
    if kind == "mix" and incident.segment is not None:
        return min(1.0, abs(incident.segment[2] - incident.segment[3]))
    if incident.unit == "share":
        return min(1.0, abs(incident.observed - (incident.expected or 0.0)))
    observed, expected = _figures(incident)
    return min(1.0, abs(observed - expected) / abs(expected)) if expected else 0.0


def added(incident: Incident) -> tuple[int, float, float] | None:
    """Return (windows, observed, expected) of what a cumulative alarm adds up: sums, of shares and averages means."""
    if not incident.crept or incident.sums is None:
        return None
    windows, observed, expected = incident.sums
    if incident.unit == "share" or incident.metric == "average_order":
        return windows, observed / windows, expected / windows
    return windows, observed, expected


def _volume(incident: Incident) -> str:
    where = _where(incident)
    if incident.segment is not None and incident.direction == "low":
        part = incident.segment[2]
        return f"no {incident.entity}{where}" if part <= 0 else f"{_percent(1 - part)} fewer {incident.entity}{where}"
    if incident.segment is not None:
        return f"{_times(incident.segment[2])} as many {incident.entity}{where} as expected"
    observed, expected = _figures(incident)
    if incident.direction == "low":
        if observed <= 0:
            return f"no {incident.entity}"
        return f"{_percent(1 - observed / expected)} fewer {incident.entity} than expected" if expected else _plain(incident)
    return f"{_times(observed / expected)} as many {incident.entity} as expected" if expected else _plain(incident)


def _plain(incident: Incident) -> str:
    return f"number of {incident.entity} is {incident.direction}"


def _mix(incident: Incident, field: str) -> str:
    if incident.segment is None:
        return f"mix of {incident.entity} over {field} has changed"
    _, _, now, before = incident.segment
    where = _where(incident)
    if now <= 0:
        return f"no {incident.entity}{where}"
    return f"{_percent(now)} of {incident.entity} are{where} (usually {_percent(before)})"


def _figures(incident: Incident) -> tuple[float, float]:
    """Observed and expected over all windows, or those of the worst one."""
    if incident.sums is not None:
        return incident.sums[1], incident.sums[2]
    return incident.observed, incident.expected or 0.0


def _compared(observed: float, expected: float, direction: str) -> str:
    if expected <= 0:
        return f"is {direction}"
    ratio = observed / expected
    if ratio >= _FACTOR:
        return f"is {_times(ratio)} what is expected"
    return f"is {_percent(abs(1 - ratio))} {'below' if ratio < 1 else 'above'} expected"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} times" if ratio >= 10 else f"{ratio:.1f} times"


def _shared(incident: Incident, share: float) -> str:
    """A share of the entity's records; where one segment value stands out, the share of its records."""
    part = share if incident.segment is None else incident.segment[2]
    return f"{_percent(part)} of {incident.entity}{_where(incident)}"


def _against(incident: Incident, usual: float | None) -> str:
    """Return the share to compare with: that of all other values, else the usual one."""
    if incident.segment is not None:
        return f" (elsewhere {_percent(incident.segment[3])})"
    return "" if usual is None else f" (usually {_percent(usual)})"


def _usual(incident: Incident) -> str:
    return "" if incident.expected is None else f" (usually {_percent(incident.expected)})"


def _where(incident: Incident) -> str:
    if incident.segment is None:
        return ""
    field, value, *_ = incident.segment
    # ``customer_id.country``: of the record that the order refers to.
    name = field.rpartition(".")[2]
    return f" from {in_words(field, value)}" if name in ORIGINS else f" with {name} {value}"


def _percent(part: float) -> str:
    part = min(max(part, 0.0), 1.0)
    # Almost all is not all.
    return "99 %" if 0.99 < part < 1 else f"{part * 100:.2g} %" if part < 0.99 else f"{part * 100:.0f} %"


def _moment(at: datetime) -> str:
    return f"{at.day} {at:%b %H:%M}"


def _capital(text: str) -> str:
    """Capitalise a word of ours; a name of a rule or field stays as it is."""
    first = text.partition(" ")[0]
    return text if "." in first or "_" in first else text[:1].upper() + text[1:]
