"""Tables as data frames: frozen values in, columns as a page shows them out. Pure."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from dashboard.text import formats
from dashboard.text import incidents as incident_text
from dashboard.text.words import cell, visible
from stream_app.contract.money import in_units
from stream_app.contract.summary import ContractSummary
from stream_app.counts.samples import CleanRecord, RecentFinding
from stream_app.kafka.broker import Topic
from stream_app.monitor.incident import Incident
from stream_app.views.breakdown import NullField, Repair, RuleCount, UnknownField
from stream_app.views.incidents import SegmentRow
from stream_app.views.pulse import Pulse
from stream_app.windows.as_of import is_shown

_EFFECT = {"error": "rejects", "warning": "warns", "info": "counts"}


def effect(severity: str) -> str:
    """Return the effect of a finding of this severity on its record."""
    return _EFFECT.get(severity, severity)


def rules(rows: Sequence[RuleCount], trends: Mapping[tuple[str, str], Sequence[int]] | None = None) -> pd.DataFrame:
    """Return rules with findings. ``Share``: findings in percent of records in."""
    frame: dict[str, Any] = {
        # First the columns that a phone shows without scrolling.
        "Rule": _texts(row.rule for row in rows),
        "Findings": [row.count for row in rows],
        "Share": [100 * row.share for row in rows],
        "Change": pd.Series([row.change for row in rows], dtype="Int64"),
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
    """Return recent findings. They never contain a record's values."""
    return pd.DataFrame(
        {
            # First the columns that a phone shows without scrolling.
            "What": _texts(row.message for row in rows),
            "Event time": _times([row.event_time for row in rows]),
            "Entity": _texts(row.entity for row in rows),
            "Rule": _texts(row.rule for row in rows),
            "Severity": _texts(row.severity for row in rows),
            "Dimension": _texts(row.dimension for row in rows),
            "Where": _texts(row.path for row in rows),
            "Segment": _texts(map(_segment, rows)),
            "Source": _texts(row.source for row in rows),
        }
    )


def clean(rows: Sequence[CleanRecord], contract: ContractSummary) -> pd.DataFrame:
    """Return clean records in the contract's order of fields; personal fields are masked already."""
    frame: dict[str, Any] = {}
    for field in contract.fields:
        values = [row.record.get(field.name) for row in rows]
        if field.type == "timestamp" and not field.personal:
            frame[field.name] = _moments(values)
        elif field.type == "integer" and not field.personal:
            frame[field.name] = _integers(values)
        elif field.type == "number" and not field.personal:
            frame[field.name] = pd.to_numeric(pd.Series(values), errors="coerce")
        else:
            frame[field.name] = [None if value is None else visible(value) for value in values]
    frame["repaired"] = _texts(", ".join(row.repairs) for row in rows)
    frame["warnings"] = _texts(", ".join(row.warnings) for row in rows)
    frame["source"] = _texts(row.source for row in rows)
    return pd.DataFrame(frame)


def contains(record: CleanRecord, wanted: str) -> bool:
    """True if a value shown of the record contains the text, ignoring case."""
    needle = wanted.casefold()
    texts = (*(str(value) for value in record.record.values()), *record.repairs, *record.warnings, record.source)
    return any(needle in text.casefold() for text in texts)


def incidents(rows: Sequence[Incident], currency: str | None) -> pd.DataFrame:
    """Return incidents."""
    return pd.DataFrame(
        {
            # First the columns that a phone shows without scrolling.
            "What": [incident_text.what(row) for row in rows],
            "Observed": [incident_text.reading(row, currency) for row in rows],
            "Start": pd.Series(pd.to_datetime([row.start for row in rows], unit="s", utc=True)),
            "State": [row.state for row in rows],
            "Severity": [row.severity for row in rows],
            "Entity": _texts(row.entity for row in rows),
            "Lasted": [incident_text.lasted(row) for row in rows],
            "Segment": [incident_text.segment(row) for row in rows],
        }
    )


def shares(rows: Sequence[SegmentRow]) -> pd.DataFrame:
    """Return values of a segment field with their shares (percent) during an incident and before."""
    return pd.DataFrame(
        {
            "Value": _texts([visible(row.value) for row in rows]),
            "Records": [row.records for row in rows],
            "Share": [row.share * 100 for row in rows],
            "Before": pd.array([None if row.before is None else row.before * 100 for row in rows], dtype="float64"),
        }
    )


def entities(pulse: Pulse, now_ms: int) -> pd.DataFrame:
    """Return each entity's contract, all-time counts and freshness."""
    rows = list(pulse.contracts.items())
    return pd.DataFrame(
        {
            "Entity": [entity for entity, _ in rows],
            "Contract in force": [f"{contract.id}:{contract.version}" for _, contract in rows],
            "Rules": [len(contract.rules) for _, contract in rows],
            "In": [pulse.totals[entity].received for entity, _ in rows],
            "Clean": [pulse.totals[entity].clean for entity, _ in rows],
            "Rejected": [pulse.totals[entity].rejected for entity, _ in rows],
            "Waiting": [pulse.totals[entity].pending for entity, _ in rows],
            **_rare_columns(pulse),
            "Unread": pd.Series([pulse.lag.get(entity) for entity, _ in rows], dtype="Int64"),
            "Stream time": [formats.moment(pulse.freshness[entity].event_time) for entity, _ in rows],
            "Processed": [formats.ago(pulse.freshness[entity].processed_at, now_ms) for entity, _ in rows],
        }
    )


def _rare_columns(pulse: Pulse) -> dict[str, list[int]]:
    """Return the columns that few shops need: they are left out where all is zero."""
    totals = [pulse.totals[entity] for entity in pulse.contracts]
    columns = {"Deleted": [one.deleted for one in totals], "Unreadable": [one.unreadable for one in totals]}
    return {name: numbers for name, numbers in columns.items() if any(numbers)}


def topics(rows: Sequence[Topic]) -> pd.DataFrame:
    """Return Kafka topics."""
    return pd.DataFrame(
        {
            "Topic": [topic.name for topic in rows],
            "Partitions": [topic.partitions for topic in rows],
            "Replicas": [topic.replicas for topic in rows],
            "Records are kept for": [formats.retention(topic.kept_ms) for topic in rows],
        }
    )


def repairs(rows: Sequence[Repair]) -> pd.DataFrame:
    """Return repairs by cleaning step. ``Share``: in percent of records in."""
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
    """Return optional fields that were empty. ``Empty`` and ``Before``: in percent of judged records."""
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
    """Return fields that are not in the contract."""
    return pd.DataFrame(
        {
            "Entity": _texts(row.entity for row in rows),
            "Field": _texts(row.name for row in rows),
            "Records": [row.count for row in rows],
            "Change": pd.Series([row.change for row in rows], dtype="Int64"),
        }
    )


def findings_csv(rows: Sequence[RecentFinding]) -> bytes:
    """Return findings as CSV."""
    names = ["Event time", "Entity", "Rule", "Severity", "Dimension", "What", "Where", "Segment", "Source"]
    return to_csv(
        names,
        (
            (
                _moment(row.event_time),
                *(row.entity, row.rule, row.severity, row.dimension, row.message, row.path, _segment(row), row.source),
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


def _segment(row: RecentFinding) -> str:
    return ", ".join(f"{name}: {value}" for name, value in row.segments.items())


def _moments(values: Sequence[Any]) -> Any:
    """Return moments as a column. A number is none: pandas would guess its unit, and warn that it does."""
    texts = [value if isinstance(value, str) else None for value in values]
    return pd.to_datetime(pd.Series(texts, dtype="object"), format="ISO8601", utc=True, errors="coerce")


def _integers(values: Sequence[Any]) -> Any:
    """Return integers as a column that stays one if a value is missing; as texts if one has more than 64 bits."""
    whole = [value if isinstance(value, int) else None for value in values]
    if all(value is None or abs(value) < 2**63 for value in whole):
        return pd.Series(whole, dtype="Int64")
    return [None if value is None else str(value) for value in whole]


def _texts(values: Any) -> pd.Series[Any]:
    return pd.Series([visible(value) for value in values], dtype="str")


def _times(ms: Sequence[int | None]) -> pd.Series[Any]:
    return pd.Series(pd.to_datetime(pd.array(ms, dtype="Int64"), unit="ms", utc=True))
