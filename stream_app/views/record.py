"""A raw record for viewers: field by field with its findings, personal data masked as the contract classifies it.

A field that is not in the contract has no classification, so its value is described, not shown. A value that is not a JSON
object is shown as escaped text. If the contract has personal fields or segments, only the shape of that text is shown, so
that a viewer sees where it breaks but not whom it is about.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stream_app.contract.summary import ContractSummary, FieldSummary
from stream_app.counts.personal import is_personal
from stream_app.counts.samples import MASK
from stream_app.judge.verdict import Finding, read_findings
from stream_app.kafka.search import FoundRecord
from stream_app.names import ATTEMPTS, CONTRACT

#: Maximum bytes shown of a malformed record, and characters of one value.
RAW_SHOWN = 4_000
VALUE_SHOWN = 400
#: Maximum number of unknown fields shown of one record.
UNKNOWN_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Row:
    """One field: its text as shown (None: not in the record), whether it is masked, and its findings."""

    name: str
    shown: str | None
    masked: bool
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """A record's value.

    Attributes:
        bytes: its length.
        rows: its fields.
        whole_record: findings that are not about one of ``rows``.
        raw: its text, if it is not a JSON object.
        shape: letters and digits of ``raw`` are replaced.
    """

    bytes: int
    rows: tuple[Row, ...] = ()
    whole_record: tuple[Finding, ...] = ()
    raw: str | None = None
    shape: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """A record that was found in Kafka.

    Attributes:
        outcome: ``dead letter``, ``clean``, or ``raw`` if neither was found within the search limit.
        topic, partition, offset: its coordinates.
        timestamp: of the raw record, ms since the epoch.
        others: names of headers that Headrace did not write.
    """

    outcome: str
    topic: str
    partition: int
    offset: int
    timestamp: int
    content: Content
    contract: str
    attempts: str
    others: tuple[str, ...]


def opened(found: FoundRecord, contract: ContractSummary) -> Opened:
    """Mask a record that was found, for viewers."""

    def text(name: str) -> str:
        return (found.header(name) or b"").decode("utf-8", "replace")[:200]

    ours = ("headrace.", "__connect.", "kafka_dlt-")
    return Opened(
        outcome=found.outcome,
        topic=found.topic,
        partition=found.partition,
        offset=found.offset,
        timestamp=found.timestamp,
        content=content(found.value, contract, read_findings(found.reasons)),
        contract=text(CONTRACT),
        attempts=text(ATTEMPTS),
        others=tuple(name[:80] for name, _ in found.headers if not name.startswith(ours))[:20],
    )


def content(value: bytes | None, contract: ContractSummary, found: Sequence[Finding]) -> Content:
    """Mask a record's value for viewers; ``found`` are its findings."""
    size = len(value or b"")
    record = _object(value)
    if record is None:
        # Nobody can tell where in the text a personal field or a segment is.
        personal = any(field.personal or field.name in contract.segments for field in contract.fields)
        names = {field.name for field in contract.fields}
        return Content(size, (), tuple(found), escaped(value or b"", names if personal else None), personal)
    known = {field.name: field for field in contract.fields}
    rows = []
    for name, field in known.items():
        about = tuple(one for one in found if one.field == name)
        if name not in record:
            rows.append(Row(name, None, masked=False, findings=about))
        elif record[name] is not None and _is_masked(field, contract, record[name]):
            rows.append(Row(name, f"{MASK} ({kind(record[name])})", masked=True, findings=about))
        else:
            rows.append(Row(name, _shown(record[name]), masked=False, findings=about))
    for name in [name for name in record if name not in known][:UNKNOWN_SHOWN]:
        about = tuple(one for one in found if one.field == name)
        rows.append(Row(name[:80], f"{MASK} ({kind(record[name])}, not in the contract)", masked=True, findings=about))
    named = {row.name for row in rows}
    return Content(size, tuple(rows), tuple(one for one in found if one.field not in named))


def _is_masked(field: FieldSummary, contract: ContractSummary, value: Any) -> bool:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else ""
    return field.personal or is_personal(text) or _is_unlisted(contract, field.name, value)


def _is_unlisted(contract: ContractSummary, name: str, value: Any) -> bool:
    """True for a segment's value that the contract does not list: after a shift of columns it may be a person's name."""
    return name in contract.segments and str(value) not in contract.listed.get(name, ())


def kind(value: Any) -> str:
    """Describe a masked value without showing it: ``text of 23 characters``."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return f"text of {len(value)} characters"
    return f"{'list' if isinstance(value, list) else 'object'} of {len(value)}"


def escaped(value: bytes, names: set[str] | None = None) -> str:
    r"""Decode at most ``RAW_SHOWN`` bytes; bytes that are not UTF-8 become ``\\xff``.

    With ``names``, letters become x and digits 0, except in these field names and in JSON's own words.
    """
    text = value[:RAW_SHOWN].decode("utf-8", "backslashreplace")
    if names is not None:
        text = _shape(value[:RAW_SHOWN], names)
    return text + (f" … ({len(value):,} bytes in all)" if len(value) > RAW_SHOWN else "")


def _shape(value: bytes, names: set[str]) -> str:
    text = value.decode("utf-8", "surrogateescape")
    kept = sorted((re.escape(f'"{name}"') for name in names), key=len, reverse=True)
    words = re.compile("|".join([*kept, r"\b(?:true|false|null)\b", r"."]), re.DOTALL)

    def cover(match: re.Match[str]) -> str:
        part = match.group()
        if len(part) > 1:
            return part
        if 0xDC80 <= ord(part) <= 0xDCFF:
            return f"\\x{ord(part) - 0xDC00:02x}"
        return "0" if part.isnumeric() else "x" if part.isalpha() or ord(part) > 127 else part

    return words.sub(cover, text)


def _object(value: bytes | None) -> dict[str, Any] | None:
    try:
        record = json.loads((value or b"").decode("utf-8"), parse_int=_number, parse_float=_number)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


class _Number(float):
    """A number that keeps the record's own digits."""

    text = ""


def _number(text: str) -> _Number:
    number = _Number(float(text)) if len(text) < 300 else _Number("nan")
    number.text = text
    return number


def _shown(value: Any) -> str:
    if isinstance(value, _Number):
        return _cut(value.text)
    if isinstance(value, str):
        return _cut(value)
    return _cut(json.dumps(value, ensure_ascii=False, default=str))


def _cut(text: str) -> str:
    return text if len(text) <= VALUE_SHOWN else f"{text[:VALUE_SHOWN]} … ({len(text):,} characters)"
