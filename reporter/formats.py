"""Values as text: numbers, money, shares and moments in the report's language, with their unit."""

from __future__ import annotations

import math
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal

from reporter.texts import Texts
from stream_app.contract.money import digits, minor_units
from stream_app.windows import calendar
from stream_app.windows.as_of import is_shown
from stream_app.windows.zone import clock_name

#: A number that no page shows; another version or program stored what it is made of.
OUT_OF_RANGE = "∞"
#: Digits of the largest float, and of what is shown after the point.
_EXACT = Context(prec=340, rounding=ROUND_HALF_EVEN)
#: Before an estimate.
ABOUT = "≈ "
#: The sign of a negative number.
MINUS = "\N{MINUS SIGN}"


def render(value: float | str, unit: str, texts: Texts) -> str:
    """Return a value with its unit.

    Args:
        unit: ``name`` (text as it is), ``share`` (0.948 → 94.8 %), ``points`` (a signed difference of shares), ``relative``
            (0.1 → +10.0 %), ``ratio`` (times), ``moment`` (epoch s, UTC), ``time`` (its hours and minutes), ``length`` (s),
            ``money:USD`` (minor units), ``about:USD`` (the same with two significant digits), a noun of the language's
            ``nouns`` (whole numbers), or a noun with a leading ``+`` (a signed difference).
    """
    if unit == "name" or isinstance(value, str):
        return str(value)
    if unit == "share":
        return share(float(value), texts)
    if unit == "points":
        number = round(value * 100, 1)
        return f"{_signed(number, 1, texts)} {_noun(abs(number), texts.all['points'], texts)}"
    if unit == "relative":
        return _signed(value * 100, 1, texts) + texts("number", "percent")
    if unit == "ratio":
        return texts("times", number=number_text(value, 1, texts))
    if unit in {"moment", "time"}:
        return moment(int(value), texts, unit)
    if unit == "length":
        return length(int(value), texts)
    if unit.startswith("money:"):
        return f"{money(value, texts, unit.removeprefix('money:'))} {unit.removeprefix('money:')}".rstrip()
    if unit.startswith("about:"):
        return f"{_about(value, texts, unit.removeprefix('about:'))} {unit.removeprefix('about:')}".rstrip()
    signed = unit.startswith("+")
    noun = texts.all["nouns"][unit.removeprefix("+")]
    if not math.isfinite(value):
        return OUT_OF_RANGE
    whole = round(value)
    return f"{_signed(whole, 0, texts) if signed else number_text(whole, 0, texts)} {_noun(abs(whole), noun, texts)}"


def number_text(value: float, decimals: int, texts: Texts) -> str:
    """Return ``1,234.5`` in the language's notation, with a real minus sign."""
    if not math.isfinite(value):
        return OUT_OF_RANGE
    exact = _EXACT.quantize(Decimal(str(value)), Decimal(1).scaleb(-decimals))
    plain = f"{abs(exact):,.{decimals}f}"
    whole, _, rest = plain.partition(".")
    whole = whole.replace(",", texts("number", "group"))
    text = whole + (texts("number", "decimal") + rest if rest else "")
    return (MINUS if exact < 0 else "") + text


def shown_share(value: float) -> float:
    """Round a share as it is shown: to a tenth of a percent, and below 1 never to 1. Changes are between two of these."""
    return 0.999 if 0.9995 <= value < 1 else round(value, 3)


def share(value: float, texts: Texts) -> str:
    """Return ``94.8 %``; a share below 1 never becomes 100 %, and one above 0 never 0 %."""
    shown = shown_share(value)
    if shown <= 0 < value:
        return f"< {number_text(0.1, 1, texts)}{texts('number', 'percent')}"
    return number_text(shown * 100, 1, texts) + texts("number", "percent")


def money(minor: float, texts: Texts, currency: str) -> str:
    """Return minor units as an amount with the decimals of its currency."""
    return number_text(float(Decimal(str(minor)) / minor_units(currency)), digits(currency), texts)


def _about(minor: float, texts: Texts, currency: str) -> str:
    if not math.isfinite(minor):
        return OUT_OF_RANGE
    units = float(f"{float(Decimal(str(minor)) / minor_units(currency)):.2g}")
    return number_text(units, 0 if abs(units) >= 10 else digits(currency), texts)


def moment(seconds: int, texts: Texts, unit: str = "moment") -> str:
    """Return ``23 Nov 2026, 10:00 UTC``, by the clocks of the texts' zone; without the day if ``unit`` is ``time``."""
    at = _local(seconds, texts)
    month = texts.all["months"][at.month - 1]
    return texts(unit, day=at.day, month=month, year=at.year, time=f"{at:%H:%M}", zone=clock_name(at))


def same_day(start: int, end: int, texts: Texts) -> bool:
    """True if two moments are on one day by the clocks of the texts' zone."""
    return _local(start, texts).date() == _local(end, texts).date()


def _local(seconds: int, texts: Texts) -> datetime:
    at = calendar.moment(seconds * 1000)
    return at.astimezone(texts.zone.info) if not texts.zone.is_utc and is_shown(seconds * 1000) else at


def length(seconds: int, texts: Texts) -> str:
    """Return ``24 hours``, ``7 days``, ``15 minutes``: in the largest unit that divides it."""
    for size, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        number, rest = divmod(seconds, size)
        if not rest and (number >= 2 or name == "minutes" or (number == 1 and name == "hours")):
            break
    number = max(1, seconds // size)
    return f"{number_text(number, 0, texts)} {_noun(number, texts.all['nouns'][name], texts)}"


def _signed(value: float, decimals: int, texts: Texts) -> str:
    """Return a number with its sign; zero gets ``±``, so that it is recognised as a change."""
    text = number_text(value, decimals, texts)
    if not text.strip("0.," + MINUS):
        return "\N{PLUS-MINUS SIGN}" + text.removeprefix(MINUS)
    return f"+{text}" if value > 0 else text


def _noun(number: float, forms: list[str], texts: Texts) -> str:
    # In French numbers below two are singular: 0 incident, 0,7 point.
    singular = number < 2 if texts.language == "fr" else number == 1
    return forms[0] if singular else forms[1]
