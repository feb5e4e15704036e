"""How shares and money read on a terminal."""

from __future__ import annotations


def percent(share: float | None) -> str:
    """``98.20 %``; a dash where nothing was measured, and never a rounded-up 100."""
    if share is None:
        return "–"
    shown = f"{share * 100:.2f}"
    return f"{'99.99' if shown == '100.00' and share < 1 else shown} %"


def money(amount: float, currency: str | None) -> str:
    """``1,234.50 GBP``, with a real minus sign."""
    return f"{amount:,.2f} {currency or ''}".rstrip().replace("-", "\N{MINUS SIGN}")
