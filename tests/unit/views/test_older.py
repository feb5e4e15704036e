"""A search in Kafka finds what the store would have kept: the same findings, times and segments of the same records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.counts.samples import RecentFinding, Samples
from stream_app.judge.related import Known
from stream_app.judge.verdict import Verdict, findings_json
from stream_app.kafka.headers import dead_letter_headers
from stream_app.names import AS_OF as AS_OF_HEADER
from stream_app.names import CONTRACT, SOURCE, TIMESTAMP, WARNINGS
from stream_app.views.older import Reader, Wanted
from stream_app.windows.as_of import UNKNOWN, is_shown
from tests.support.near import ENTITIES, as_ofs, many, records
from tests.support.records import AS_OF, GOOD, encoded, judge_of, order, shop

NOBODY: Mapping[str, str] = {}
ORDERS = judge_of("built-in", "orders")


def written(raw: bytes | None, verdict: Verdict, as_of: int, offset: int, group: str = "g") -> Any:
    """The record as the worker writes it: a dead letter, or a clean record."""
    source = b"orders:0:%d" % offset
    headers: list[tuple[str, bytes | None]] = [(AS_OF_HEADER, b"%d" % as_of)] if is_shown(as_of) else []
    record = SimpleNamespace(offset=offset, timestamp=-1, key=b"1", value=raw, headers=headers)
    found = findings_json(verdict.findings)
    if verdict.rejected:
        headers = dead_letter_headers(record, source, b"c:1", found, group)
        return SimpleNamespace(offset=7, timestamp=-1, key=b"1", value=raw, headers=headers)
    own: list[tuple[str, bytes | None]] = [
        (SOURCE, source),
        (CONTRACT, b"c:1"),
        *([(WARNINGS, found)] if verdict.findings else []),
        *headers,
    ]
    return SimpleNamespace(offset=7, timestamp=-1, key=b"1", value=verdict.body, headers=own)


def rows(found: Sequence[RecentFinding]) -> list[tuple[Any, ...]]:
    return sorted(
        (one.source, one.rule, one.severity, one.dimension, one.path, one.message, one.event_time or 0, *one.segments.items())
        for one in found
    )


@many
@given(st.data(), st.sampled_from(ENTITIES))
def test_findings_are_those_of_the_store_whatever_the_record_holds(data: st.DataObject, at: tuple[str, str]) -> None:
    name, entity = at
    judge = judge_of(name, entity)
    raw = data.draw(records(judge.contract, GOOD[name, entity]))
    as_of = data.draw(as_ofs.map(lambda ms: ms if is_shown(ms) else UNKNOWN))
    verdict = judge.judge(raw, as_of)
    far = {one: data.draw(st.none() | st.sampled_from(["France", "Toys", "#0123456789"])) for one in judge.contract.segments}
    kept = Samples(judge.contract)
    kept.add(verdict, "orders:0:3", {name: value for name, value in far.items() if "." in name})

    def references(of: str, ids: Sequence[str]) -> dict[str, str]:
        to = {one.field: one.to_entity for one in judge.contract.references}
        names = {one.partition(".")[2]: value for one, value in far.items() if to.get(one.partition(".")[0]) == of}
        return {one: Known(values=names).to_json() for one in ids}

    found = Reader(judge, Wanted(entity), references).read([written(raw, verdict, as_of, 3)])
    # A record that refers to nobody has no values of other records.
    values = verdict.values or {}
    unknown = {one for one in judge.contract.segments if "." in one and values.get(one.partition(".")[0]) is None}
    for one in kept.findings:
        for segment in unknown:
            one.segments.pop(segment, None)
    assert rows(found) == rows(kept.findings)


def reader(wanted: Wanted, references: Any = lambda *_: NOBODY) -> Reader:
    return Reader(ORDERS, wanted, references)


def dead_letters(*raws: bytes) -> list[Any]:
    return [written(raw, ORDERS.judge(raw, AS_OF), AS_OF, offset) for offset, raw in enumerate(raws)]


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def test_the_event_time_decides_never_kafkas_timestamp() -> None:
    letters = dead_letters(*(encoded(order(quantity=0, order_date=f"2011-05-0{day}T10:00:00Z")) for day in (1, 2, 3, 4)))
    wanted = Wanted("orders", seconds("2011-05-02T10:00:00"), seconds("2011-05-04T10:00:00"))

    assert [one.source for one in reader(wanted).read(letters)] == ["orders:0:1", "orders:0:2"]


def test_rules_severities_dimensions_and_segments_choose() -> None:
    raw = encoded(order(quantity=0, odd=1))
    letters = dead_letters(raw)
    every = {one.rule: one for one in reader(Wanted("orders")).read(letters)}
    assert every.keys() == {"quantity.minimum", "record.unknownField"}

    def found(wanted: Wanted, references: Any = lambda *_: NOBODY) -> set[str]:
        return {one.rule for one in reader(wanted, references).read(letters)}

    assert found(Wanted("orders", rules=frozenset({"quantity.minimum"}))) == {"quantity.minimum"}
    assert found(Wanted("orders", severities=frozenset({"warning"}))) == {"record.unknownField"}
    dimension = every["quantity.minimum"].dimension
    assert "quantity.minimum" in found(Wanted("orders", dimensions=frozenset({dimension})))
    segment = Wanted("orders", segments=frozenset({("customer_id.country", "France")}))
    assert found(segment) == set()
    french = Known(values={"country": "France", "category": "Toys"}).to_json()
    assert found(segment, lambda _, ids: dict.fromkeys(ids, french)) == every.keys()


def test_only_rules_that_may_warn_are_searched_in_the_clean_topic() -> None:
    def topics(rules: Sequence[str] = (), severities: Sequence[str] = ()) -> tuple[str, ...]:
        return Wanted("orders", rules=frozenset(rules), severities=frozenset(severities)).topics(ORDERS.contract, "eu-")

    both = ("eu-orders.dlq", "eu-orders.clean")
    assert topics(rules=["quantity.minimum"]) == ("eu-orders.dlq",)
    assert topics(rules=["record.unknownField"]) == both
    assert topics(rules=["a rule of last year"]) == both
    assert topics(severities=["error"]) == ("eu-orders.dlq",)
    assert topics() == both


def test_a_record_whose_topic_did_not_take_its_timestamp_has_its_own_all_the_same() -> None:
    raw = b"not json"
    letter = dead_letters(raw)[0]
    letter.headers = [pair for pair in letter.headers if pair[0] != AS_OF_HEADER] + [(TIMESTAMP, b"%d" % (AS_OF - 5_000))]
    letter.timestamp = AS_OF + 10**9

    assert [one.event_time for one in reader(Wanted("orders")).read([letter])] == [AS_OF - 5_000]


@pytest.mark.parametrize("value", [b"", b"[]", b"{", b'[{"rule":1}]', b"\xff", None])
def test_headers_that_others_wrote_are_passed_over(value: bytes | None) -> None:
    odd = SimpleNamespace(offset=1, timestamp=0, key=None, value=None, headers=[("headrace.findings", value)])

    assert reader(Wanted("orders")).read([odd]) == []


def test_no_value_of_a_record_is_in_a_finding() -> None:
    raw = encoded(order(quantity=0, customer_id=4711, odd="Maria Musterfrau"))
    found = reader(Wanted("orders")).read(dead_letters(raw))

    assert found
    assert "Musterfrau" not in repr(found)
    assert shop("built-in").contracts["orders"].segments
