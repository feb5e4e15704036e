"""Samples of what was judged last: recent findings and clean records, as the store keeps them and people see them."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from stream_app.contract.model import Contract, Rule, Severity
from stream_app.contract.segments import SegmentNames, is_number
from stream_app.counts.found import FoundByWindow
from stream_app.counts.personal import is_personal, may_be_personal
from stream_app.judge.verdict import Verdict
from stream_app.windows.as_of import UNKNOWN, is_shown

#: Shown instead of a personal value.
MASK = "•••"
#: Samples kept of one batch.
FINDINGS, CLEAN_RECORDS = 400, 20
_NULL = b"null"
_MASKED = msgspec.Raw(msgspec.json.encode(MASK))


class RecentFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A finding, without the record's values; ``event_time`` and ``at`` (when it was counted) in ms since the epoch.

    ``segments``: segment field → value of the record, of the segment fields that are not at fault themselves.
    """

    entity: str = ""
    rule: str = ""
    severity: str = ""
    dimension: str = ""
    path: str = ""
    message: str = ""
    source: str = ""
    event_time: int | None = None
    segments: dict[str, str] = {}
    at: int | None = None

    def encode(self) -> bytes:
        """Return JSON."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, raw: str | bytes) -> RecentFinding:
        """Read what ``encode`` wrote; ValueError for anything else."""
        return _FINDING.decode(raw)


class CleanRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A clean record as people may see it: without what is personal.

    Masked are personal fields, segment values that no contract lists, and texts with an e-mail address or a card number in
    them. ``warnings``: ids of rules.
    """

    source: str = ""
    event_time: int | None = None
    record: dict[str, Any]
    repairs: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Return JSON."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, raw: str | bytes) -> CleanRecord:
        """Read what ``encode`` wrote; ValueError for anything else."""
        return _CLEAN_RECORD.decode(raw)


_FINDING, _CLEAN_RECORD = msgspec.json.Decoder(RecentFinding), msgspec.json.Decoder(CleanRecord)


def _can_be_shown(ms: int | None) -> bool:
    return ms is None or is_shown(ms)


def recent_findings(raw: Iterable[str | bytes]) -> tuple[RecentFinding, ...]:
    """Read stored findings, in their order; an entry that cannot be read is left out."""
    found = []
    for entry in raw:
        try:
            finding = RecentFinding.decode(entry)
        except ValueError:
            continue
        if not (_can_be_shown(finding.event_time) and _can_be_shown(finding.at)):
            times = {name: at for name in ("event_time", "at") if not _can_be_shown(at := getattr(finding, name))}
            finding = msgspec.structs.replace(finding, **dict.fromkeys(times))
        found.append(finding)
    return tuple(found)


def clean_records(raw: Iterable[str | bytes], personal: Collection[str]) -> tuple[CleanRecord, ...]:
    """Read stored records, in their order; an entry that cannot be read is left out.

    Fields in ``personal`` are masked here too: the contract of the worker that wrote the record may not have known them.
    """
    found = []
    for entry in raw:
        try:
            clean = CleanRecord.decode(entry)
        except ValueError:
            continue
        shown = {name: MASK if name in personal and value is not None else value for name, value in clean.record.items()}
        at = clean.event_time if _can_be_shown(clean.event_time) else None
        found.append(msgspec.structs.replace(clean, record=shown, event_time=at))
    return tuple(found)


def mask(body: bytes, personal: Collection[str]) -> bytes:
    """Return the JSON object ``body`` with MASK for each personal value that is not null, everything else as it is.

    Personal are the fields of these names, and every text with an e-mail address or a card number in it.
    """
    suspect = may_be_personal(body)
    if not personal and not suspect:
        return body
    values = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    if suspect:
        texts = {name: bytes(value) for name, value in values.items() if name not in personal}
        found = {name for name, raw in texts.items() if raw[:1] in b'"[{' and is_personal(raw.decode("utf-8", "replace"))}
        personal = found.union(personal)
    for name in personal:
        if name in values and bytes(values[name]) != _NULL:
            values[name] = _MASKED
    return msgspec.json.encode(values)


class Samples:
    """The newest findings and clean records among verdicts of one entity, oldest first.

    Findings hold no values but those of segments, by name if a contract lists them; findings of severity ``info`` are left out.
    """

    def __init__(self, contract: Contract) -> None:
        self._entity, self._segments = contract.entity, contract.segments
        self._names = SegmentNames(contract.listed)
        self._own = tuple(name for name in contract.segments if "." not in name)
        self._personal = frozenset(field.name for field in contract.fields if field.personal)
        self._recent: deque[tuple[Rule, str, int, dict[str, str]]] = deque(maxlen=FINDINGS)
        self.found = FoundByWindow()
        self._clean: deque[tuple[Verdict, str]] = deque(maxlen=CLEAN_RECORDS)

    def add(self, verdict: Verdict, source: str, segments: Mapping[str, Any] | None = None) -> None:
        """Keep a settled verdict's findings, and its record if it is clean.

        ``source``: of the record; ``segments``: the values of segments that are fields of a referenced record.
        """
        if verdict.body is not None:
            self._clean.append((verdict, source))
        if not verdict.findings:
            return
        rules = [rule for rule in verdict.findings if rule.severity is not Severity.INFO]
        if not rules:
            return
        named = self._named(verdict, segments or {})
        for rule in rules:
            self._recent.append((rule, source, verdict.event_ms, named))
            self.found.add(rule.id, source, verdict.event_ms, named)

    @property
    def findings(self) -> list[RecentFinding]:
        """The newest findings, oldest first."""
        return [
            RecentFinding(
                entity=self._entity,
                rule=rule.id,
                severity=rule.severity,
                dimension=rule.dimension,
                path=rule.path,
                message=rule.message,
                source=source,
                event_time=_shown(event_ms),
                segments=named,
            )
            for rule, source, event_ms, named in self._recent
        ]

    def _named(self, verdict: Verdict, segments: Mapping[str, Any]) -> dict[str, str]:
        # A field at fault may hold anything, for example a person's name in the field of the country.
        faulty = {rule.field for rule in verdict.findings}
        values = verdict.values or {}
        found = {name: segments.get(name) if "." in name else values.get(name) for name in self._segments}
        named = {name: value for name, value in found.items() if value is not None and name not in faulty}
        return {name: self._names.text(name, value) for name, value in named.items()}

    def encoded_findings(self, at_ms: int) -> list[bytes]:
        """Return the findings as the store keeps them, counted at ``at_ms``."""
        return [msgspec.structs.replace(finding, at=at_ms).encode() for finding in self.findings]

    def encoded_clean(self) -> list[bytes]:
        """Return the clean records as the store keeps them, personal fields masked."""
        return [self._clean_record(verdict, source).encode() for verdict, source in self._clean]

    def _unlisted(self, verdict: Verdict) -> frozenset[str]:
        """Return the segment fields whose value no contract lists: it may be a person's name, after a shift of columns."""
        values = verdict.values or {}
        found = {name: values[name] for name in self._own if values.get(name) is not None}
        return frozenset(name for name, value in found.items() if is_number(self._names.text(name, value)))

    def _clean_record(self, verdict: Verdict, source: str) -> CleanRecord:
        # Raw: the canonical bytes go into the sample as they are.
        record: Any = msgspec.Raw(mask(verdict.body or b"{}", self._personal | self._unlisted(verdict)))
        return CleanRecord(
            source=source,
            event_time=_shown(verdict.event_ms),
            record=record,
            repairs=verdict.repairs,
            warnings=tuple(rule.id for rule in verdict.findings),
        )


def _shown(event_ms: int) -> int | None:
    return None if event_ms == UNKNOWN else event_ms
