"""Numbers, money, shares and times as text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from dashboard.text import local
from stream_app.contract.money import digits, in_units
from stream_app.views.ranges import bar_end
from stream_app.views.usual import Usual
from stream_app.windows.as_of import is_shown
from stream_app.windows.zone import Zone

NOTHING = "–"
#: A moment that no calendar shows; another version or program stored it.
OUT_OF_RANGE = "out of range"
#: The sign of a negative number.
MINUS = "\N{MINUS SIGN}"
_DAY = 86_400
_SYMBOLS = {"GBP": "£", "USD": "$", "EUR": "€", "JPY": "¥", "INR": "₹"}


def count(number: float | None) -> str:
    """Return ``12,345``; from ten million on ``12.35 M``."""
    if number is None:
        return NOTHING
    if abs(number) >= 10_000_000:
        return _short(number)
    return _minus(f"{number:,.0f}")


def usual(of: Usual) -> str:
    """Return what is usual for the hours of a range, beside what was sold in them."""
    difference = relative((of.observed_minor - of.revenue_minor) / of.revenue_minor) if of.revenue_minor > 0 else None
    change = f" ({difference} against the usual)" if difference else ""
    now = [money(in_units(of.observed_minor, of.currency), of.currency) + change]
    then = [money(of.revenue, of.currency)]
    if of.orders is not None:
        now.append(f"{count(of.observed_orders)} orders")
        then.append(f"{count(of.orders)} orders")
    return (
        f"Complete hours, {span(of.start, of.end)}: {', '.join(now)}. Usual for these weekdays and hours: {', '.join(then)} "
        f"(mean of {of.weeks} or more earlier weeks, incidents left out)."
    )


def about(text: str) -> str:
    """Return ``≈ 12,345``: the text of an estimate."""
    return text if text == NOTHING else f"≈ {text}"


def money(amount: float | None, currency: str | None) -> str:
    """Return ``£1,234.50``, without pence from ten thousand on; a currency without a symbol by its code."""
    if amount is None:
        return NOTHING
    size = abs(amount)
    text = _short(size) if size >= 10_000_000 else f"{size:,.0f}" if size >= 10_000 else f"{size:,.{digits(currency)}f}"
    sign = MINUS if amount < 0 else ""
    symbol = _SYMBOLS.get(currency or "")
    return f"{sign}{symbol}{text}" if symbol else f"{sign}{text} {currency or ''}".rstrip()


def each(amounts: Mapping[str, float]) -> str:
    """Return amounts of several currencies, which are never added up: ``€10.00 · ¥1,500 · 1.234 KWD``."""
    return " · ".join(money(amount, currency) for currency, amount in amounts.items()) or NOTHING


def converted(rates: Mapping[str, float], currency: str | None) -> str:
    """Return how a converted total was made: ``Converted to EUR at the contract's rates: 1 JPY is 0.0061 EUR``."""
    parts = ", ".join(f"1 {other} is {rate:g} {currency}" for other, rate in sorted(rates.items()) if other != currency)
    return f"Converted to {currency} at the contract's rates: {parts}"


def percent(share: float | None, decimals: int = 1) -> str:
    """Return ``98.2 %``; a share below 1 never becomes 100 %, and one above 0 never 0 %."""
    if share is None:
        return NOTHING
    step = 10**-decimals
    shown = round(share * 100, decimals)
    if shown >= 100 and share < 1:
        shown = 100 - step
    if shown <= 0 < share:
        return f"< {step:.{decimals}f} %"
    return _minus(f"{shown:.{decimals}f} %")


def relative(change: float | None) -> str | None:
    """Return ``+3.4 %`` or ``−3.4 %``; from a tenfold change on a factor. None if unknown."""
    if change is None:
        return None
    if abs(change) >= 10:
        return f"{change + 1:,.0f}×" if change > 0 else f"{MINUS}{abs(change):,.0f}×"
    return _signed(change * 100, 1, "%")


def points(difference: float | None, decimals: int = 2) -> str | None:
    """Return ``+0.25 pp``: percentage points, the change of a share."""
    return None if difference is None else _signed(difference * 100, decimals, "pp")


def moment(ms: int | None) -> str:
    """Return ``23 Nov 2026, 11:41 UTC``."""
    if ms is None:
        return NOTHING
    if not is_shown(ms):
        return OUT_OF_RANGE
    return local.zone().moment(ms)


def span(start: int, end: int, zone: Zone | None = None) -> str:
    """Return the time from ``start`` up to ``end`` (s) in its shortest form.

    ``29 Aug 2026``, ``21 to 27 Nov 2026``, ``29 Aug 2026, 08:00 to 09:00 UTC``.
    """
    zone = zone or local.zone()
    if zone.day(start) != start or zone.day(end) != end or end <= start:
        begin, until = zone.local(start), zone.local(end)
        if begin.date() == until.date():
            return f"{_day(begin)}, {begin:%H:%M} to {until:%H:%M} {zone.label(start)}"
        return f"{moment(start * 1000)} to {moment(end * 1000)}"
    first, last = zone.date_of(start), zone.date_of(zone.day(end - 1))
    if first == last:
        return _day(first)
    if first.year != last.year:
        return f"{_day(first)} to {_day(last)}"
    return f"{first.day} to {_day(last)}" if first.month == last.month else f"{first.day} {first:%b} to {_day(last)}"


def _day(at: date) -> str:
    return f"{at.day} {at:%b %Y}"


def clock(ms: int) -> str:
    """Return ``11:41:05 UTC``."""
    zone = local.zone()
    return f"{zone.local(ms / 1000):%H:%M:%S} {zone.label(ms / 1000)}"


def ago(ms: int | None, now_ms: int) -> str:
    """Return ``4 s ago``, ``3 min ago``, ``2 h ago``, ``5 days ago``."""
    if ms is None:
        return "never"
    seconds = max(0, (now_ms - ms) // 1000)
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def duration(ms: float) -> str:
    """Return a duration: ``38 ms``, ``2.4 s``, ``5 min``, ``3 days``."""
    if ms < 1_000:
        return f"{ms:,.0f} ms"
    return f"{ms / 1_000:.1f} s" if ms < 60_000 else ago(0, round(ms)).removesuffix(" ago")


def elapsed(ms: int | None, now_ms: int) -> str:
    """Return the time since ``ms``: ``3 min``."""
    return ago(ms, now_ms).removesuffix(" ago")


def restated(late: int) -> str:
    """Return a note on figures that late records have changed."""
    records = "1 record" if late == 1 else f"{count(late)} records"
    return f"Restated: {records} came after the windows of their time were final, and are counted here."


def unvalued(number: int, usual_worth: float, currency: str | None) -> str:
    """Return a note on the value at risk: what of it is not the records' own worth."""
    records = "1 record with findings has" if number == 1 else f"{count(number)} records with findings have"
    doubt = f"{records} a quantity or price that is in doubt"
    if not usual_worth:
        return f"Value at risk: {doubt}, and no clean record tells what they are worth."
    return f"Value at risk: {doubt}; at the average of clean records they make {money(usual_worth, currency)} of it."


def bar_name(seconds: int) -> str:
    """Return the length of a bar: ``5 minutes``, ``hour``, ``2 hours``, ``day``, ``week``."""
    for size, unit in ((7 * _DAY, "week"), (_DAY, "day"), (3_600, "hour"), (60, "minute")):
        if seconds % size == 0:
            number = seconds // size
            return unit if number == 1 else f"{number} {unit}s"
    return f"{seconds} s"


def bar_period(start: int, bar_seconds: int, zone: Zone | None = None) -> str:
    """Return the period of one bar: ``Mon 23 Nov 2026``, ``23 Nov 2026, 10:00 to 11:00 UTC``."""
    zone = zone or local.zone()
    end = bar_end(start, bar_seconds, zone)
    if bar_seconds == _DAY:
        return f"{zone.date_of(start):%a} {_day(zone.date_of(start))}"
    if bar_seconds > _DAY:
        first, last = zone.date_of(start), zone.date_of(zone.day(end - 1))
        return f"{first.day} {first:%b} to {_day(last)}"
    begin, until = zone.local(start), zone.local(end)
    return f"{_day(begin)}, {begin:%H:%M} to {until:%H:%M} {zone.label(start)}"


def retention(ms: int | None) -> str:
    """Return how long a topic keeps its records; ``ms`` is None if the broker does not say, negative for ever."""
    if ms is None:
        return "not reported"
    if ms < 0:
        return "for ever"
    return f"{ms / 3_600_000:,.0f} h" if ms < 7_200_000 * 24 else f"{ms / 86_400_000:,.0f} days"


def _signed(number: float, decimals: int, unit: str) -> str:
    shown = round(number, decimals)
    return _minus(f"{shown:+.{decimals}f} {unit}") if shown else f"{0:.{decimals}f} {unit}"


def _short(number: float) -> str:
    for size, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if abs(number) >= size:
            return _minus(f"{number / size:,.2f} {unit}")
    return _minus(f"{number:,.0f}")


def _minus(text: str) -> str:
    return text.replace("-", MINUS)
