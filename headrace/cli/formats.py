"""Shares and amounts of money as text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stream_app.contract.money import digits


def percent(share: float | None) -> str:
    """Return ``98.20 %``; a dash for None. A share below 1 is never rounded up to 100 %."""
    if share is None:
        return "–"
    shown = f"{share * 100:.2f}"
    return f"{'99.99' if shown == '100.00' and share < 1 else shown} %"


def money(amount: float, currency: str | None) -> str:
    """Return ``1,234.50 GBP``, with the digits of the currency and a typographic minus sign."""
    return f"{amount:,.{digits(currency)}f} {currency or ''}".rstrip().replace("-", "\N{MINUS SIGN}")


def revenue(kpis: Mapping[str, Any]) -> str:
    """One total, a converted one with what it was made of, or a total for each currency."""
    by_currency = kpis.get("revenue_by_currency") or {}
    each = " + ".join(money(amount, currency) for currency, amount in by_currency.items())
    if kpis["revenue"] is None:
        return each or "–"
    total = money(kpis["revenue"], kpis["currency"])
    return f"{total} (converted: {each})" if each else total


def printable(text: str) -> str:
    """Return foreign text on one line of a terminal: what is not printable, such as an escape sequence, is escaped."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape", "surrogatepass").decode() for one in text)
