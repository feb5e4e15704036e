"""Findings, clean records and incidents as CSV files: ids as they are, numbers as numbers, no formulas. Pure."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from dashboard.parts.tables import segments
from dashboard.text import incidents as incident_text
from dashboard.text.words import cell
from stream_app.contract.money import in_units
from stream_app.contract.summary import ContractSummary
from stream_app.counts.samples import CleanRecord, RecentFinding
from stream_app.monitor.incident import Incident
from stream_app.windows.as_of import is_shown


def findings_csv(rows: Sequence[RecentFinding]) -> bytes:
    """Return findings as CSV."""
    names = ["Event time", "Entity", "Rule", "Severity", "Dimension", "What", "Where", "Segment", "Source"]
    return to_csv(
        names,
        (
            (
                _moment(row.event_time),
                *(row.entity, row.rule, row.severity, row.dimension, row.message, row.path, segments(row), row.source),
            )
            for row in rows
        ),
    )


def clean_csv(rows: Sequence[CleanRecord], contract: ContractSummary) -> bytes:
    """Return clean records as CSV, in the contract's order of fields: values as the records have them."""
    fields = [field.name for field in contract.fields]
    return to_csv(
        [*fields, "repaired", "warnings", "source"],
        (
            (*(row.record.get(name) for name in fields), ", ".join(row.repairs), ", ".join(row.warnings), row.source)
            for row in rows
        ),
    )


def incidents_csv(rows: Sequence[Incident], currency: str | None) -> bytes:
    """Return incidents as CSV: what was observed and expected as numbers, in units of currency if their unit is money."""

    def number(row: Incident, value: float | None) -> float | None:
        return in_units(value, currency) if value is not None and row.unit == "money" else value

    names = [
        *("Start", "End", "State", "Severity", "Entity", "What"),
        *("Observed", "Expected", "Lowest usual", "Highest usual", "Unit", "Stands out", "Id"),
    ]
    return to_csv(
        names,
        (
            (
                *(_moment(row.start * 1_000), _moment(row.end * 1_000), row.state, row.severity, row.entity),
                incident_text.what(row),
                *(number(row, value) for value in (row.observed, row.expected, row.low, row.high)),
                *(currency if row.unit == "money" else row.unit, incident_text.segment(row), row.id),
            )
            for row in rows
        ),
    )


def to_csv(names: Sequence[str], rows: Iterable[Iterable[object]]) -> bytes:
    """Return rows as CSV in UTF-8 with a byte-order mark, which spreadsheets expect; no cell can run as a formula.

    Numbers have neither quotes nor separators; an integer never becomes a float, and a text keeps its leading zeros.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow([cell(name) for name in names])
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return out.getvalue().encode("utf-8-sig")


def _cell(value: object) -> object:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return _moment(round(value.timestamp() * 1_000))
    return value if isinstance(value, int | float) else cell(str(value))


def _moment(ms: int | None) -> str:
    if ms is None or not is_shown(ms):
        return ""
    return datetime.fromtimestamp(ms / 1_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
