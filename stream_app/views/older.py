"""Findings of a rule that are in the topics only: older than what the store keeps of each hour and day."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from stream_app.contract.summary import ContractSummary
from stream_app.counts.samples import RecentFinding
from stream_app.judge.verdict import read_findings
from stream_app.kafka.backwards import Backwards
from stream_app.kafka.search import FoundRecord
from stream_app.names import FINDINGS, SOURCE, WARNINGS, Topics
from stream_app.windows.as_of import is_shown
from stream_app.windows.calendar import milliseconds, parse_moment

#: Findings of one search that are kept, the newest ones.
MOST = 2_000

Read = Callable[[str, str, Callable[[bytes | None], bool], Mapping[int, int] | None], Backwards]


@dataclass(frozen=True, slots=True)
class Older:
    """Findings of all searches so far.

    ``read``: records that were looked at; ``complete``: the whole topic was; ``unreadable``: some records were left out.
    """

    entity: str
    rule: str
    rows: tuple[RecentFinding, ...] = ()
    positions: Mapping[int, int] | None = field(default=None)
    read: int = 0
    complete: bool = False
    unreadable: bool = False


def topic_of(contract: ContractSummary, rule: str, topics: Topics) -> tuple[str, str]:
    """Return the topic that has the records with findings of a rule, and the header that names them.

    A rule that rejects has them in the dead-letter topic; warnings stand beside clean records.
    """
    of = contract.rules.get(rule)
    return (topics.dead_letter, FINDINGS) if of is None or of.severity == "error" else (topics.clean, WARNINGS)


def search_on(before: Older, contract: ContractSummary, topics: Topics, read: Read) -> Older:
    """Search further back than ``before``.

    Raises:
        DeliveryError: no broker answers, or reading fails.
    """
    topic, header = topic_of(contract, before.rule, topics)
    found = read(topic, header, lambda reasons: _has(reasons, before.rule), before.positions)
    known = {row.source for row in before.rows}
    fresh = [row for one in found.rows if (row := finding_of(one, before.entity, before.rule, contract)).source not in known]
    rows = sorted([*before.rows, *fresh], key=lambda row: -(row.event_time or 0))[:MOST]
    return replace(
        before,
        rows=tuple(rows),
        positions=found.positions,
        read=before.read + found.read,
        complete=found.complete,
        unreadable=before.unreadable or found.unreadable,
    )


def _has(reasons: bytes | None, rule: str) -> bool:
    # Most records have other findings: their names are found without parsing.
    return reasons is not None and rule.encode() in reasons and any(one.rule == rule for one in read_findings(reasons))


def finding_of(found: FoundRecord, entity: str, rule: str, contract: ContractSummary) -> RecentFinding:
    """Return the finding of a rule in a record; it has no value of the record but its event time."""
    of = contract.rules.get(rule)
    findings = read_findings(found.reasons)
    own = next((one for one in findings if one.rule == rule), None)
    at_fault = {one.field for one in findings}
    return RecentFinding(
        entity=entity,
        rule=rule,
        severity=own.severity if own else "",
        dimension=of.dimension if of else "",
        path=own.path if own else "",
        message=of.message if of else "",
        source=(found.header(SOURCE) or b"").decode("utf-8", "replace"),
        event_time=None if contract.event_time in at_fault else _event_time(found.value, contract.event_time),
        at=found.timestamp if is_shown(found.timestamp) else None,
    )


def _event_time(value: bytes | None, name: str | None) -> int | None:
    if name is None:
        return None
    try:
        record = json.loads(value or b"")
    except (ValueError, RecursionError):
        return None
    text = record.get(name) if isinstance(record, dict) else None
    moment = parse_moment(text) if isinstance(text, str) else None
    ms = None if moment is None else milliseconds(moment)
    return ms if ms is not None and is_shown(ms) else None


def of_rule(kept: Older | None, entities: Iterable[str], rules: Iterable[str]) -> tuple[RecentFinding, ...]:
    """Return what was found, if it is of what the viewer has chosen."""
    return kept.rows if kept is not None and kept.entity in {*entities} and kept.rule in {*rules} else ()
