"""Worth of records: quantity × price in minor units, in the contract's currency or in the one that a field names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from typing import Any, NamedTuple, Protocol

from stream_app.contract.formats import currencies
from stream_app.contract.model import Contract, Revenue
from stream_app.contract.money import minor_units

#: The most minor units that one record adds to a sum: sums of many must stay integers of 64 bits.
MOST = 10**12


class Rows(Protocol):
    """Some records, by column."""

    def column(self, name: str) -> Sequence[Any]:
        """Return the values of a field."""
        ...


class Amount(NamedTuple):
    """The worth of a record in minor units of its own ``currency``; ``total``: in those of the totals' currency, if any."""

    currency: str
    minor: int
    total: int


#: The amount of a record that does not say what it is worth.
NOTHING = Amount("", 0, 0)


class Amounts:
    """Worth of records in the totals' currency, at most MOST; ``known``: records have one, and there are such totals."""

    def __init__(self, contract: Contract) -> None:
        revenue = contract.revenue
        self.known = revenue is not None and revenue.currency is not None
        #: Amounts by currency; None if the contract names no field for it.
        self.by_currency = ByCurrency(revenue) if revenue is not None and revenue.currency_field is not None else None
        self._quantity, self._price = (revenue.quantity, revenue.price) if revenue else ("", "")
        self._minor = minor_units(revenue.currency if revenue else None)
        self._required = {self._quantity, self._price} <= {field.name for field in contract.fields if field.required}

    def of(self, values: Mapping[str, Any] | None) -> int:
        """Return what a record is worth; 0 where it does not say."""
        if not self.known or values is None:
            return 0
        if self.by_currency is not None:
            amount = self.by_currency.of(values)
            return amount.total if amount is not None else 0
        return _amount(values[self._quantity], values[self._price], self._minor)

    def of_rows(self, rows: Rows) -> list[int]:
        """Return what each of some clean records is worth; nothing where there are no such totals."""
        if not self.known:
            return []
        if self.by_currency is not None:
            return [amount.total for amount in self.by_currency.of_rows(rows)]
        quantities, prices, minor = rows.column(self._quantity), rows.column(self._price), self._minor
        if self._required:
            amounts = [quantity * price * minor for quantity, price in zip(quantities, prices, strict=True)]
            if min(amounts) >= -MOST and max(amounts) <= MOST:
                return list(map(round, amounts))
        return list(map(_amount, quantities, prices, repeat(minor)))


class ByCurrency:
    """Worth of records that name their currency; with rates also in the totals' currency."""

    def __init__(self, revenue: Revenue) -> None:
        self._fields = revenue.quantity, revenue.price, revenue.currency_field or ""
        total = minor_units(revenue.currency)
        #: Currency → its minor units, and those of the totals that one unit of it is worth (0 without a rate).
        self._units: dict[str, tuple[int, float]] = {
            currency: (minor_units(currency), rate * total) for currency, rate in revenue.rates.items()
        }
        self._has_rates = bool(revenue.rates)

    def of(self, values: Mapping[str, Any]) -> Amount | None:
        """Return what a record is worth; None where it does not say."""
        return self._of(*(values[name] for name in self._fields))

    def of_rows(self, rows: Rows) -> list[Amount]:
        """Return what each of some records is worth, NOTHING where it does not say."""
        return [found or NOTHING for found in map(self._of, *(rows.column(name) for name in self._fields))]

    def sums(self, rows: Rows, counts: Callable[[int, int], int] | None = None) -> dict[str, int]:
        """Return currency → worth of some records in its minor units.

        ``counts`` gives the part of an amount that counts, by the index of its record; None: all of it.
        """
        sums: dict[str, int] = {}
        for index, amount in enumerate(self.of_rows(rows)):
            if amount is not NOTHING:
                minor = amount.minor if counts is None else counts(index, amount.minor)
                sums[amount.currency] = sums.get(amount.currency, 0) + minor
        return sums

    def _of(self, quantity: float | None, price: float | None, currency: Any) -> Amount | None:
        units = self._units.get(currency) if isinstance(currency, str) else None
        if units is None:
            if self._has_rates or currency not in currencies():
                return None
            units = self._units[currency] = minor_units(currency), 0.0
        return Amount(currency, _amount(quantity, price, units[0]), _amount(quantity, price, units[1]))


def _amount(quantity: float | None, price: float | None, minor: float) -> int:
    if quantity is None or price is None:
        return 0
    return round(max(-MOST, min(quantity * price * minor, MOST)))
