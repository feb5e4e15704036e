"""Verdicts as they were delivered: read back from clean, dead-letter and pending records instead of being made anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import msgspec

from stream_app.judge import Verdict
from stream_app.judge.batch import Verdicts
from stream_app.judge.timing import moving_times
from stream_app.judge.tombstones import deleted_id
from stream_app.judge.verdict import read_findings
from stream_app.kafka.as_of import as_of_pending, read_as_of
from stream_app.kafka.headers import header, original, unreadable_part
from stream_app.names import FINDINGS, LATE, NULL_VALUE, REPAIRS, SOURCE, TOPIC_ID, UNKNOWN, WARNINGS
from stream_app.windows.as_of import of_header
from stream_app.worker.entity import Entity

Kind = Literal["clean", "rejected", "pending"]
#: Headers of a clean record that came as it is.
_PLAIN_HEADERS = 2
_names = msgspec.json.Decoder(tuple[str, ...])


@dataclass(frozen=True, slots=True)
class Outcome:
    """A delivered record: ``record`` is of the topic of its kind, ``offset`` of the raw topic."""

    kind: Kind
    offset: int
    record: Any


def source_prefix(entity: Entity, partition: int) -> bytes:
    """Return what ``headrace.source`` of a partition's records begins with."""
    return b"%b:%d:" % (entity.topics.raw.encode(), partition)


def read_outcomes(entity: Entity, kind: Kind, prefix: bytes, topic_id: str, records: Sequence[Any]) -> list[Outcome]:
    """Return the outcomes of one raw partition among records of one topic; foreign records are left out.

    A topic that is created again has the offsets of the old one once more: ``topic_id`` tells them apart. Only records of a
    raw topic that is not the first of its name have it in a header.
    """
    begin, found = len(prefix), []
    for record in records:
        source = header(record, SOURCE)
        if source is None or not source.startswith(prefix) or not (digits := source[begin:]).isdigit() or len(digits) > 18:
            continue
        named = header(record, TOPIC_ID)
        if (entity.first_topic_id if named is None else named.decode("ascii", "replace")) != topic_id:
            continue
        if (part := unreadable_part(record)) is not None and part.number > 1:
            continue
        found.append(Outcome(kind, int(digits), original(record) if len(record.headers) > _PLAIN_HEADERS else record))
    return found


def late_end(record: Any) -> int | None:
    """Return the end (s) of the windows that were final before a delivered record; None if it was in time."""
    end = of_header(header(record, LATE))
    return None if end is None else end // 1000


def _as_of(outcomes: Sequence[Outcome]) -> list[int]:
    moments = read_as_of([outcome.record for outcome in outcomes]).moments
    for index, outcome in enumerate(outcomes):
        if outcome.kind == "pending":
            moments[index] = as_of_pending(outcome.record)
    return moments


class Read(NamedTuple):
    """Delivered records, read back.

    Attributes:
        verdicts: as they were delivered.
        times: by which each record has moved its partition's clock (ms); None of one that has not.
    """

    verdicts: Verdicts
    times: list[int | None]


def read_verdicts(entity: Entity, outcomes: Sequence[Outcome]) -> Read:
    """Return the verdicts that were delivered.

    Values are read as the judge reads them; outcome, findings and repairs are those of the delivered record, even where
    another contract is in force since.
    """
    records = [outcome.record for outcome in outcomes]
    raws = [None if header(record, NULL_VALUE) is not None else record.value for record in records]
    as_of = _as_of(outcomes)
    verdicts = entity.judge.judge_all(raws, as_of)
    times = moving_times(verdicts)
    for index, (outcome, record) in enumerate(zip(outcomes, records, strict=True)):
        if outcome.kind == "clean" and record.value is None:
            verdicts.put_deleted(index, deleted_id(entity.judge, record.key or b""))
        elif outcome.kind == "clean":
            if len(record.headers) > _PLAIN_HEADERS or verdicts.bodies[index] is None or index in verdicts.marked:
                verdicts.put(index, _clean(entity, record, verdicts[index]))
        elif outcome.kind == "rejected":
            verdicts.put(index, _rejected(entity, record, verdicts[index], as_of[index]))
        elif (rules := _rules(entity, record, WARNINGS)) or verdicts.bodies[index] is None:
            judged: Verdict = verdicts[index]
            known = {rule.id for rule in judged.findings}
            more = [rule for rule in rules if rule.id not in known]
            verdicts.put(index, judged.with_findings(more) if more else judged)
    return Read(verdicts, times)


def _clean(entity: Entity, record: Any, judged: Verdict) -> Verdict:
    rules = tuple(_rules(entity, record, WARNINGS))
    return Verdict(record.value, judged.values, judged.event_ms, rules, _list(record, REPAIRS), _list(record, UNKNOWN))


def _rejected(entity: Entity, record: Any, judged: Verdict, as_of: int) -> Verdict:
    rules = tuple(_rules(entity, record, FINDINGS))
    if judged.values is None:
        return Verdict(None, None, as_of, rules, judged.repairs, judged.unknown)
    verdict = Verdict.of(entity.contract, judged.values, None, as_of, rules, judged.repairs, judged.unknown)
    # A rule that is not in the contract any more may have rejected it.
    return Verdict(None, verdict.values, verdict.event_ms, rules, judged.repairs, judged.unknown)


def _rules(entity: Entity, record: Any, name: str) -> list[Any]:
    value = header(record, name)
    if value is None:
        return []
    rules = entity.contract.rules
    return [rules[finding.rule] for finding in read_findings(value) if finding.rule in rules]


def _list(record: Any, name: str) -> tuple[str, ...]:
    try:
        return _names.decode(header(record, name) or b"[]")
    except msgspec.DecodeError:
        return ()
