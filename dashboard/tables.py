"""Pure tables: frozen values in, data frames out, in the words people read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from stream_app.judge.summary import ContractSummary
from stream_app.store.read_overview import RuleCount
from stream_app.store.read_values import CleanRecord, RecentFinding

_EFFECT = {"error": "rejects", "warning": "marks", "info": "counts"}


def rules(rows: Sequence[RuleCount]) -> pd.DataFrame:
    """Rules with findings in the range, most first. ``Share`` is of the records in, 0 to 100."""
    return pd.DataFrame(
        {
            "Entity": [row.entity for row in rows],
            "Rule": [row.rule for row in rows],
            "Findings": [row.count for row in rows],
            "Share": [100 * row.share for row in rows],
            "Before": pd.Series([row.previous for row in rows], dtype="Int64"),
            "Effect": [_EFFECT.get(row.severity, row.severity) for row in rows],
            "Dimension": [row.dimension for row in rows],
            "Value at risk": [row.at_risk or None for row in rows],
            "Meaning": [row.impact or row.message for row in rows],
        }
    )


def findings(rows: Sequence[RecentFinding]) -> pd.DataFrame:
    """Recent findings, newest first. They never hold a record's values."""
    return pd.DataFrame(
        {
            "Event time": _times([row.event_time for row in rows]),
            "Entity": [row.entity for row in rows],
            "Rule": [row.rule for row in rows],
            "Effect": [_EFFECT.get(row.severity, row.severity) for row in rows],
            "What": [row.message for row in rows],
            "Where": [row.path for row in rows],
            "Source": [row.source for row in rows],
        }
    )


def clean(rows: Sequence[CleanRecord], contract: ContractSummary) -> pd.DataFrame:
    """Recent clean records in the contract's order of fields, newest first; personal fields come masked."""
    frame: dict[str, Any] = {}
    for field in contract.fields:
        values = [row.record.get(field.name) for row in rows]
        if field.type == "timestamp":
            frame[field.name] = pd.to_datetime(pd.Series(values), utc=True, errors="coerce")
        elif field.type in {"integer", "number"} and not field.personal:
            frame[field.name] = pd.to_numeric(pd.Series(values), errors="coerce")
        else:
            frame[field.name] = [None if value is None else str(value) for value in values]
    frame["repaired"] = [", ".join(row.repairs) for row in rows]
    frame["warnings"] = [", ".join(row.warnings) for row in rows]
    frame["source"] = [row.source for row in rows]
    return pd.DataFrame(frame)


def _times(ms: Sequence[int | None]) -> pd.Series[Any]:
    return pd.Series(pd.to_datetime(pd.array(ms, dtype="Int64"), unit="ms", utc=True))
