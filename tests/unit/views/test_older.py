"""Findings that are in the topics only: those of one rule, once each, without the record's values."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from stream_app.contract.read import load_shop
from stream_app.contract.summary import describe
from stream_app.kafka.backwards import Backwards
from stream_app.kafka.search import FoundRecord
from stream_app.names import FINDINGS, SOURCE, WARNINGS, Topics
from stream_app.views.older import MOST, Older, finding_of, of_rule, search_on, topic_of

ORDERS = describe(load_shop(None).contracts["orders"])
TOPICS = Topics("orders", "")
RULE = "quantity.minimum"


def record(offset: int, rules: tuple[str, ...] = (RULE,), value: bytes | None = None, field: str = "quantity") -> FoundRecord:
    found = [{"rule": rule, "severity": "error", "path": f"$.{field}", "message": "SECRET"} for rule in rules]
    body = (
        value if value is not None else b'{"order_date": "2026-08-%02dT10:00:00Z", "customer_id": "SECRET"}' % (offset % 28 + 1)
    )
    source = ((SOURCE, b"orders:0:%d" % offset),)
    return FoundRecord("dead letter", TOPICS.dead_letter, 0, offset, 1_000 * offset, body, source, json.dumps(found).encode())


def test_a_rule_that_rejects_is_searched_among_dead_letters_and_a_warning_among_clean_records() -> None:
    warning = next(rule for rule, of in ORDERS.rules.items() if of.severity == "warning")

    assert topic_of(ORDERS, RULE, TOPICS) == ("orders.dlq", FINDINGS)
    assert topic_of(ORDERS, warning, TOPICS) == ("orders.clean", WARNINGS)


def test_a_search_goes_on_where_the_last_one_ended_and_shows_each_record_once() -> None:
    asked: list[Mapping[int, int] | None] = []

    def read(topic: str, header: str, wanted: Callable[[bytes | None], bool], at: Mapping[int, int] | None) -> Backwards:
        asked.append(at)
        assert (topic, header) == ("orders.dlq", FINDINGS)
        begin = 20 if at is None else 0
        stored = [record(offset, (RULE,) if offset % 2 else ("price.type",)) for offset in range(begin, begin + 25)]
        return Backwards(tuple(row for row in stored if wanted(row.reasons)), {0: begin}, 25)

    first = search_on(Older("orders", RULE), ORDERS, TOPICS, read)
    then = search_on(first, ORDERS, TOPICS, read)

    assert asked == [None, {0: 20}]
    assert (first.complete, then.complete, then.read) == (False, True, 50)
    assert {row.source for row in then.rows} == {f"orders:0:{offset}" for offset in range(1, 45, 2)}
    times = [row.event_time or 0 for row in then.rows]
    assert times == sorted(times, reverse=True)
    assert len(then.rows) <= MOST


def test_a_finding_has_no_value_of_its_record_but_the_event_time() -> None:
    row = finding_of(record(1), "orders", RULE, ORDERS)

    assert row.event_time == 1_785_664_800_000
    assert (row.path, row.source, row.severity) == ("$.quantity", "orders:0:1", "error")
    assert "SECRET" not in row.encode().decode()
    assert row.message == ORDERS.rules[RULE].message


def test_an_event_time_that_is_at_fault_or_none_is_unknown() -> None:
    assert finding_of(record(1, field="order_date"), "orders", RULE, ORDERS).event_time is None
    for value in (b"", b"{", b"[]", b'{"order_date": 7}', b'{"order_date": "soon"}', b"[" * 100_000):
        assert finding_of(record(1, value=value), "orders", RULE, ORDERS).event_time is None


def test_what_was_found_of_another_rule_is_not_shown() -> None:
    kept = Older("orders", RULE, (finding_of(record(1), "orders", RULE, ORDERS),))

    assert of_rule(kept, ["orders"], [RULE]) == kept.rows
    assert of_rule(kept, ["customers"], [RULE]) == of_rule(kept, ["orders"], []) == of_rule(None, ["orders"], [RULE]) == ()
