"""Findings that the store does not keep any more, from Kafka: the headers of dead letters and of clean records with warnings.

A finding is found by the rules of the page: by the event time that the record was counted with, never by Kafka's timestamp. The
event time is in no header, so each record with a finding that is asked for is judged once more, by itself. It is shown as a
recent finding is: without values, but for those of segments that a contract lists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stream_app.contract.model import Contract, Severity
from stream_app.contract.segments import SegmentNames
from stream_app.counts.samples import RecentFinding
from stream_app.judge.judge import Judge
from stream_app.judge.related import Known
from stream_app.judge.verdict import Finding, Verdict, read_findings
from stream_app.kafka.as_of import as_of
from stream_app.kafka.headers import header, original
from stream_app.kafka.older import Limits, Outcome, Portion, Progress, look
from stream_app.names import FINDINGS, SOURCE, WARNINGS, Topics
from stream_app.settings import Settings
from stream_app.windows.as_of import UNKNOWN

#: (entity, ids) → id → what the store keeps of the record.
References = Callable[[str, Sequence[str]], Mapping[str, str | bytes]]
_INFO, _ERROR = Severity.INFO.value, Severity.ERROR.value


@dataclass(frozen=True, slots=True)
class Wanted:
    """Findings of one entity. Of each set, one has to match; an empty one matches all.

    Attributes:
        since, until: event time (s), the second one excluded; None: open. A record without event time is in every range.
        segments: (segment field, value as it is shown).
    """

    entity: str
    since: int | None = None
    until: int | None = None
    rules: frozenset[str] = frozenset()
    severities: frozenset[str] = frozenset()
    dimensions: frozenset[str] = frozenset()
    segments: frozenset[tuple[str, str]] = frozenset()

    def has(self, finding: Finding) -> bool:
        """True if a finding of a header is wanted, whatever its record's time and segments."""
        return (
            finding.severity != _INFO
            and (not self.rules or finding.rule in self.rules)
            and (not self.severities or finding.severity in self.severities)
            and (not self.dimensions or finding.dimension in self.dimensions)
        )

    def spans(self, ms: int | None) -> bool:
        """True if an event time is in the range."""
        return ms is None or (
            (self.since is None or ms >= self.since * 1_000) and (self.until is None or ms < self.until * 1_000)
        )

    def topics(self, contract: Contract, prefix: str) -> tuple[str, ...]:
        """Return the topics with such findings: the clean one only if a warning can be among them."""
        topics, rules = Topics(self.entity, prefix), contract.rules
        warnings = not self.severities or self.severities != {_ERROR}
        if self.rules:
            # A rule that this contract does not have may have been of any severity.
            warnings = warnings and any(one not in rules or rules[one].severity is not Severity.ERROR for one in self.rules)
        return (topics.dead_letter, topics.clean) if warnings else (topics.dead_letter,)


@dataclass(frozen=True, slots=True)
class Older:
    """The result of a search, over all its calls.

    Attributes:
        findings: the newest event time first.
        records: how many were read.
        outcome: of its last call.
        topics: what it reads.
        problems: what could not be read, and why.
    """

    findings: tuple[RecentFinding, ...] = ()
    records: int = 0
    outcome: Outcome = field(default_factory=Outcome)
    topics: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


_NOTHING = Older()


def search(
    settings: Settings,
    judge: Judge,
    wanted: Wanted,
    references: References,
    limits: Limits = Limits(),  # noqa: B008 - immutable
    progress: Callable[[Progress], object] = lambda _: None,
    before: Older | None = None,
) -> Older:
    """Search Kafka for findings. ``before``: an earlier result with a rest, to go on with.

    Raises:
        DeliveryError: no broker answers, or reading fails.
        StoreError: the store cannot tell the segments of a record.
    """
    topics, before = wanted.topics(judge.contract, settings.topic_prefix), before or _NOTHING
    reader = Reader(judge, wanted, references)
    span = tuple(None if at is None else at * 1_000 for at in (wanted.since, wanted.until))
    rest: Sequence[Portion] | None = before.outcome.rest if before is not _NOTHING else None
    known = {(one.source, one.rule): one for one in before.findings}

    def see(records: Sequence[Any]) -> int:
        new = {(one.source, one.rule): one for one in reader.read(records)}
        fresh = len(new.keys() - known.keys())
        known.update(new)
        return fresh

    outcome = look(settings, topics, (span[0], span[1]), see, limits, progress, rest)
    # A record that was delivered twice is one finding. One without event time comes last.
    findings = sorted(known.values(), key=lambda one: -1 if one.event_time is None else one.event_time, reverse=True)
    problems = (*before.problems, *outcome.problems)
    return Older(tuple(findings), before.records + outcome.records, outcome, topics, problems)


class Reader:
    """Reads findings from the records of an entity's dead-letter and clean topic."""

    def __init__(self, judge: Judge, wanted: Wanted, references: References) -> None:
        self._judge, self._wanted, self._look_up = judge, wanted, references
        contract = judge.contract
        self._names = SegmentNames(contract.listed)
        to = {reference.field: reference.to_entity for reference in contract.references}
        #: Segment → the field that refers to another record, that record's entity, its field.
        self._far = {
            name: (near, to[near], far)
            for name in contract.segments
            for near, dot, far in [name.partition(".")]
            if dot and near in to
        }

    def read(self, records: Sequence[Any]) -> list[RecentFinding]:
        """Return the wanted findings of some records."""
        found = []
        for record in records:
            about = read_findings(header(record, FINDINGS)) or read_findings(header(record, WARNINGS))
            asked = [one for one in about if self._wanted.has(one)]
            if asked:
                verdict = self._verdict(record)
                event_ms = None if verdict.event_ms == UNKNOWN else verdict.event_ms
                if self._wanted.spans(event_ms):
                    found.append((record, about, asked, verdict, event_ms))
        known = self._known([verdict for *_, verdict, _ in found])
        made = []
        for record, about, asked, verdict, event_ms in found:
            segments = self._segments(about, verdict, known)
            if not self._wanted.segments or self._wanted.segments & segments.items():
                source = (header(record, SOURCE) or b"").decode("utf-8", "replace")
                made += [self._finding(one, source, event_ms, segments) for one in asked]
        return made

    def _verdict(self, record: Any) -> Verdict:
        raw = original(record)
        return self._judge.judge(raw.value, as_of(raw))

    def _known(self, verdicts: Sequence[Verdict]) -> dict[tuple[str, str], Mapping[str, Any]]:
        """Return (entity, id) → the fields that are kept of the records that these refer to."""
        ids: dict[str, dict[str, None]] = {}
        for near, entity, _ in self._far.values():
            values = ((verdict.values or {}).get(near) for verdict in verdicts)
            ids.setdefault(entity, {}).update(dict.fromkeys(str(one) for one in values if one is not None))
        return {
            (entity, one): Known.from_json(raw).values
            for entity, asked in ids.items()
            for one, raw in self._look_up(entity, list(asked)).items()
        }

    def _segments(
        self, about: Sequence[Finding], verdict: Verdict, known: Mapping[tuple[str, str], Mapping[str, Any]]
    ) -> dict[str, str]:
        """Return segment → its text, as ``counts.samples`` keeps them: a field at fault may hold anything."""
        faulty, values = {one.field for one in about}, verdict.values or {}
        named: dict[str, str] = {}
        for name in self._judge.contract.segments:
            value = values.get(name)
            if name in self._far:
                near, entity, far = self._far[name]
                value = known.get((entity, str(values.get(near))), {}).get(far)
            if value is not None and name not in faulty:
                named[name] = self._names.text(name, value)
        return named

    def _finding(self, one: Finding, source: str, event_ms: int | None, segments: dict[str, str]) -> RecentFinding:
        return RecentFinding(
            entity=self._wanted.entity,
            rule=one.rule,
            severity=one.severity,
            dimension=one.dimension,
            path=one.path,
            message=one.message,
            source=source,
            event_time=event_ms,
            segments=segments,
        )
