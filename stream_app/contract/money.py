"""Minor units of currencies: amounts are counted in the smallest unit that ISO 4217 gives a currency."""

from __future__ import annotations

from collections.abc import Mapping

#: Digits after the decimal point by ISO 4217, of the currencies that have not two.
_DIGITS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW"), 0),
    **dict.fromkeys(("PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}


def digits(currency: str | None) -> int:
    """Return the digits after the decimal point of a currency: 2 for USD, 0 for JPY, 3 for KWD; 2 without a currency."""
    return _DIGITS.get(currency or "", 2)


def minor_units(currency: str | None) -> int:
    """Return the minor units in one unit of a currency: 100 for USD, 1 for JPY, 1,000 for KWD."""
    return int(10 ** digits(currency))


def in_units(minor: float, currency: str | None) -> float:
    """Return an amount of minor units in units of the currency."""
    return minor / minor_units(currency)


def each_in_units(minor: Mapping[str, int]) -> dict[str, float]:
    """Return currency → amount in units of it, by currency; amounts of several currencies are never added up."""
    return {currency: in_units(amount, currency) for currency, amount in sorted(minor.items())}
