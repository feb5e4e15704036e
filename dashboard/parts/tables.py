"""Pure tables: frozen values in, data frames out, in the words people read."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from dashboard.text.words import cell, visible
from stream_app.contract.summary import ContractSummary
from stream_app.counts.samples import CleanRecord, RecentFinding
from stream_app.views.figures import RuleCount
from stream_app.views.quality import NullField, Repair, SegmentRow, UnknownField

_EFFECT = {"error": "rejects", "warning": "marks", "info": "counts"}


def effect(severity: str) -> str:
    """What a finding of this severity does to its record."""
    return _EFFECT.get(severity, severity)


def rules(rows: Sequence[RuleCount], trends: Mapping[tuple[str, str], Sequence[int]] | None = None) -> pd.DataFrame:
    """Rules with findings in the range, most first. ``Share`` is of the records in, 0 to 100."""
    frame: dict[str, Any] = {
        # First what a telephone shows without scrolling.
        "Rule": _texts(row.rule for row in rows),
        "Findings": [row.count for row in rows],
        "Share": [100 * row.share for row in rows],
        "Before": pd.Series([row.previous for row in rows], dtype="Int64"),
        "Entity": _texts(row.entity for row in rows),
        "Effect": _texts(effect(row.severity) for row in rows),
        "Dimension": _texts(row.dimension for row in rows),
        "Value at risk": [row.at_risk or None for row in rows],
    }
    if trends is not None:
        frame["Trend"] = [list(trends.get((row.entity, row.rule), ())) for row in rows]
    frame["Meaning"] = _texts(row.message for row in rows)
    frame["Why it matters"] = _texts(row.impact or "" for row in rows)
    return pd.DataFrame(frame)


def findings(rows: Sequence[RecentFinding]) -> pd.DataFrame:
    """Recent findings, newest first. They never hold a record's values."""
    return pd.DataFrame(
        {
            "Event time": _times([row.event_time for row in rows]),
            "Entity": _texts(row.entity for row in rows),
            "Rule": _texts(row.rule for row in rows),
            "Severity": _texts(row.severity for row in rows),
            "Dimension": _texts(row.dimension for row in rows),
            "What": _texts(row.message for row in rows),
            "Where": _texts(row.path for row in rows),
            "Segment": _texts(", ".join(f"{name}: {value}" for name, value in row.segments.items()) for row in rows),
            "Source": _texts(row.source for row in rows),
        }
    )


def clean(rows: Sequence[CleanRecord], contract: ContractSummary) -> pd.DataFrame:
    """Recent clean records in the contract's order of fields, newest first; personal fields come masked."""
    frame: dict[str, Any] = {}
    for field in contract.fields:
        values = [row.record.get(field.name) for row in rows]
        if field.type == "timestamp" and not field.personal:
            frame[field.name] = pd.to_datetime(pd.Series(values), utc=True, errors="coerce")
        elif field.type in {"integer", "number"} and not field.personal:
            frame[field.name] = pd.to_numeric(pd.Series(values), errors="coerce")
        else:
            frame[field.name] = [None if value is None else visible(value) for value in values]
    frame["repaired"] = _texts(", ".join(row.repairs) for row in rows)
    frame["warnings"] = _texts(", ".join(row.warnings) for row in rows)
    frame["source"] = _texts(row.source for row in rows)
    return pd.DataFrame(frame)


def holds(record: CleanRecord, wanted: str) -> bool:
    """Whether any shown value of a record contains the text, whatever its case."""
    needle = wanted.casefold()
    texts = (*(str(value) for value in record.record.values()), *record.repairs, *record.warnings, record.source)
    return any(needle in text.casefold() for text in texts)


def segments(rows: Sequence[SegmentRow], rule: str | None = None) -> pd.DataFrame:
    """Segment values by records in; ``Share`` (0 to 100) is of rejected records, or of findings of ``rule``."""
    counted = [row.rejected if rule is None else row.findings.get(rule, 0) for row in rows]
    return pd.DataFrame(
        {
            "value": _texts(row.value for row in rows),
            "records": [row.received for row in rows],
            "counted": counted,
            "share": [100 * one / row.received if row.received else 0.0 for one, row in zip(counted, rows, strict=True)],
        }
    )


def repairs(rows: Sequence[Repair]) -> pd.DataFrame:
    """What cleaning changed, most first; ``Share`` of the records in, 0 to 100."""
    return pd.DataFrame(
        {
            "Entity": _texts(row.entity for row in rows),
            "Field": _texts(row.field for row in rows),
            "Step": _texts(row.step for row in rows),
            "Records": [row.count for row in rows],
            "Share": [100 * row.share for row in rows],
        }
    )


def nulls(rows: Sequence[NullField]) -> pd.DataFrame:
    """Optional fields that were empty; shares from 0 to 100."""
    return pd.DataFrame(
        {
            "Entity": _texts(row.entity for row in rows),
            "Field": _texts(row.field for row in rows),
            "Empty": [100 * row.share for row in rows],
            "Before": [None if row.before is None else 100 * row.before for row in rows],
            "Records": [row.count for row in rows],
        }
    )


def unknown(rows: Sequence[UnknownField]) -> pd.DataFrame:
    """Fields that the contract does not know."""
    return pd.DataFrame(
        {
            "Entity": _texts(row.entity for row in rows),
            "Field": _texts(row.name for row in rows),
            "Records": [row.count for row in rows],
            "Before": pd.Series([row.previous for row in rows], dtype="Int64"),
        }
    )


def to_csv(frame: pd.DataFrame) -> bytes:
    """The frame as CSV in UTF-8 with a byte-order mark (spreadsheets look for it); no cell can run as a formula."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow([cell(str(name)) for name in frame.columns])
    for row in frame.itertuples(index=False, name=None):
        writer.writerow([_cell(value) for value in row])
    return out.getvalue().encode("utf-8-sig")


def _cell(value: Any) -> object:
    if isinstance(value, datetime):
        return "" if pd.isna(value) else value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return ""
    return cell(value)


def _texts(values: Any) -> pd.Series[Any]:
    return pd.Series([visible(value) for value in values], dtype="str")


def _times(ms: Sequence[int | None]) -> pd.Series[Any]:
    return pd.Series(pd.to_datetime(pd.array(ms, dtype="Int64"), unit="ms", utc=True))
