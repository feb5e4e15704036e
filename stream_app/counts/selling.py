"""Orders and cancellations among clean records, where a contract tells them apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from stream_app.contract.model import Contract
from stream_app.counts.worth import Rows

#: The role of a record: an order or a part of one, the cancellation of one, or neither (another state of an order).
Role = Literal["sale", "cancellation", "other"]


class Selling:
    """Tells the roles of records; of a contract that names none, each record is a sale."""

    def __init__(self, contract: Contract) -> None:
        self._sale, self._cancellation = contract.sale, contract.cancellation

    def of(self, values: Mapping[str, Any]) -> Role:
        """Return the role of a record."""
        cancels = self._cancellation
        if cancels is not None and values[cancels.field] in cancels.values:
            return "cancellation"
        return "sale" if self._sale is None or values[self._sale.field] in self._sale.values else "other"

    def of_rows(self, rows: Rows, count: int) -> list[Role]:
        """Return the role of each of ``count`` records."""
        roles: list[Role] = ["sale"] * count
        if self._sale is not None:
            wanted = self._sale.values
            roles = ["sale" if one in wanted else "other" for one in rows.column(self._sale.field)]
        if self._cancellation is not None:
            wanted, column = self._cancellation.values, rows.column(self._cancellation.field)
            roles = ["cancellation" if one in wanted else role for one, role in zip(column, roles, strict=True)]
        return roles


def selling_of(contract: Contract) -> Selling | None:
    """Return what tells the roles of records; None if all are sales."""
    return Selling(contract) if contract.sale is not None or contract.cancellation is not None else None


def counted(role: Role, minor: int) -> int:
    """Return the part of an amount that is revenue: of a cancellation what it takes back, of other states nothing."""
    return minor if role == "sale" else min(minor, 0) if role == "cancellation" else 0


def among(roles: Sequence[Role] | None, column: Sequence[Any]) -> set[Any]:
    """Return the values that sales have in a column."""
    return {*column} if roles is None else {value for value, role in zip(column, roles, strict=True) if role == "sale"}
