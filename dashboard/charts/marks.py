"""Incidents as marks of the sales chart."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard.charts.figures import SalesMark
from dashboard.text.incidents import reading, what
from stream_app.store.incidents import Incident

#: Metrics that the sales chart marks.
ON_SALES = frozenset({"volume", "revenue", "average_order"})


def marks(rows: Sequence[Incident], sales: str | None, currency: str | None) -> list[SalesMark]:
    """Those that the sales chart marks."""
    return [
        SalesMark(
            row.start,
            row.end,
            row.direction if row.direction in {"high", "low"} else "changed",
            f"{what(row)} {row.direction}: {reading(row, currency)}",
        )
        for row in rows
        if row.entity == sales and row.metric in ON_SALES
    ]
