"""Anything at all in a record ends as a verdict, and what leaves the worker says where it came from."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest

from headrace.embedded import EmbeddedStack
from stream_app.names import AS_OF, ATTEMPTS, CONTRACT, FINDINGS, REPAIRS, SOURCE, WARNINGS, Topics
from stream_app.settings import Settings, load_settings
from tests.support.crew import stocked_crew
from tests.support.recount import Recount, assert_exact, recount, rules_of
from tests.support.stream import BEGIN, Books, Raw, Seen, await_settled, order, produce  # fmt: skip

#: When these records were sent, in ms: in the past, so that it cannot be the time of anything else.
SENT = int(time.time() * 1000) - 3_600_000
KEY = b"\x00key\xff"
PERSONAL = "ada.byron@example.org"
NAMED: dict[str, Raw] = {
    "tombstone": Raw("orders", KEY, None),
    "tombstone without a key": Raw("orders", None, None),
    "empty": Raw("orders", KEY, b""),
    "empty without a key": Raw("orders", None, b""),
    "white space": Raw("orders", KEY, b" \n\t "),
    "990 kB": Raw("orders", KEY, b"x" * 990_000),
    "all that a broker takes": Raw("orders", KEY, b"x" * 1_047_000),
    "990 kB of JSON": Raw("orders", KEY, b'{"order_id":"' + b"9" * 990_000 + b'"}'),
    "invalid UTF-8": Raw("orders", KEY, b'{"order_id":"\xff\xfe"}'),
    "no JSON": Raw("orders", KEY, b'{"order_id":1'),
    "an array": Raw("orders", KEY, b"[1,2,3]"),
    "a number": Raw("orders", KEY, b"7"),
    "deep": Raw("orders", KEY, b"[" * 50_000 + b"]" * 50_000),
    "NaN": Raw("orders", KEY, b'{"order_id":NaN}'),
    "a huge integer": Raw("orders", KEY, b'{"order_id":' + b"9" * 5_000 + b"}"),
    "a key twice": Raw("orders", KEY, b'{"order_id":1,"order_id":2}'),
    "a surrogate": Raw("orders", KEY, b'{"order_id":"\\ud800"}'),
    "no fields": Raw("orders", KEY, b"{}"),
    "nulls": Raw("orders", KEY, b'{"order_id":null,"quantity":null}'),
    "NUL": Raw("orders", KEY, b'{"order_id":"\x00"}'),
    "a key of 300 kB": Raw("orders", b"k" * 300_000, b"{}"),
    "a key of 990 kB": Raw("orders", b"k" * 990_000, b"{}"),
    "headers of 300 kB": Raw("orders", KEY, b"{}", (("big", b"h" * 300_000),)),
    "headers of 990 kB": Raw("orders", KEY, b"{}", (("big", b"h" * 990_000),)),
    "a header without a value": Raw("orders", KEY, b"{}", (("none", None), ("empty", b""))),
    "a header twice": Raw("orders", KEY, b"{}", (("twice", b"1"), ("twice", b"2"))),
    "as of never": Raw("orders", KEY, order(1).value, ((AS_OF, b"999999999999999"),)),
    "as of nonsense": Raw("orders", KEY, b"{}", ((AS_OF, b"\xff"), (ATTEMPTS, b"\xb2"))),
    "forged headers": Raw("orders", KEY, b"{}", ((SOURCE, b"a:0:0"), (FINDINGS, b"[]"), (CONTRACT, b"x"), ("kept", b"1"))),
    "redriven": Raw("orders", KEY, b"{}", ((SOURCE, b"orders:0:0"), (ATTEMPTS, b"2"))),
    "personal": replace(order(509, quantity=PERSONAL, price=PERSONAL), key=PERSONAL.encode()),
    "good": order(501),
    "good without a key": replace(order(502), key=None),
    "to be repaired": order(503, quantity=" 3 "),
    "with an unknown field": order(504, coupon="X"),
    "with an unknown personal field": order(508, 1, 1, **{PERSONAL: PERSONAL}),
    "good with a header": replace(order(505), headers=(("trace", b"1"),)),
    "as of its own time": replace(order(506), headers=((AS_OF, b"%d" % (BEGIN * 1000)),)),
    "future": replace(order(86400 * 3650), headers=((AS_OF, b"%d" % (BEGIN * 1000)),)),
}


class Outcome:
    """Outcome of the named records."""

    def __init__(self, settings: Settings, counted: dict[str, Recount], log: str) -> None:
        self.settings, self.log = settings, log
        self.orders = counted["orders"]
        names = {dict(record.headers)["test.name"].decode(): offset for offset, record in self.orders.raw.items()}  # type: ignore[union-attr]
        self.offsets = names

    def raw(self, name: str) -> Seen:
        return self.orders.raw[self.offsets[name]]

    def dead(self, name: str) -> Seen:
        return self.orders.dead[self.offsets[name]]

    def clean(self, name: str) -> Seen:
        return self.orders.clean[self.offsets[name]]


@pytest.fixture(
    scope="module",
    params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)],
)
def outcome(
    request: pytest.FixtureRequest, stack: EmbeddedStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Outcome]:
    """One worker judges them all, on either broker."""
    name = uuid.uuid4().hex[:8]
    bootstrap = stack.kafka if request.param == "embedded" else request.getfixturevalue("kafka")
    settings = load_settings(
        kafka=bootstrap,
        redis=stack.redis_url,
        redis_prefix=name,
        topic_prefix=f"{name}-",
        group=name,
        partitions=3,
        session_timeout=3.0,
    )
    with stocked_crew(settings, tmp_path_factory.mktemp("inputs")) as crew:
        marked = [
            replace(raw, headers=(*raw.headers, ("test.name", name.encode())), timestamp=SENT) for name, raw in NAMED.items()
        ]
        produce(settings, marked)
        await_settled(settings, {"orders": len(NAMED)}, crew)
        yield Outcome(settings, assert_exact_but_oversized(settings), crew[0].output())
        assert all(worker.terminate() == 0 for worker in crew)
    books = Books(settings)
    books.client.delete(*books.client.keys(f"{name}:*"))


def assert_exact_but_oversized(settings: Settings) -> dict[str, Recount]:
    """The promise; only of what the broker refuses together with our headers less than all is kept."""

    def forgiving(settings: Settings, entity: str) -> Recount:
        counts = recount(settings, entity)
        for source, record in list(counts.dead.items()):
            if any(header.startswith("headrace.truncated") for header, _ in record.headers):
                raw = counts.raw[source]
                counts.dead[source] = replace(record, key=raw.key, value=raw.value)
        return counts

    assert_exact(settings, count=forgiving)
    return {entity: recount(settings, entity) for entity in ("orders", "customers", "products")}


REASONS = {
    "tombstone without a key": "record.tombstone", "empty": "record.empty",
    "empty without a key": "record.empty", "white space": "record.empty", "990 kB": "record.oversized",
    "990 kB of JSON": "record.oversized", "invalid UTF-8": "record.encoding", "no JSON": "record.syntax",
    "an array": "record.notObject", "a number": "record.notObject", "deep": "record.nesting", "NaN": "record.number",
    "a huge integer": "record.number", "a key twice": "record.duplicateKey", "a surrogate": "record.syntax",
    "a key of 300 kB": "record.oversized", "no fields": "order_id.required", "NUL": "record.syntax",
    "future": "order_date_future",
}  # fmt: skip


@pytest.mark.parametrize("name", REASONS)
def test_it_is_rejected_for_its_own_reason(outcome: Outcome, name: str) -> None:
    assert REASONS[name] in rules_of(outcome.dead(name), FINDINGS)


OVERSIZED = {"all that a broker takes", "990 kB", "990 kB of JSON", "a key of 990 kB", "headers of 990 kB"}
REJECTED = [
    name
    for name in NAMED
    if not name.startswith(("good", "to be", "with an", "as of its", "as of never")) and name != "tombstone"
]


@pytest.mark.parametrize("name", [name for name in REJECTED if name not in OVERSIZED])
def test_a_dead_letter_record_is_the_raw_record_byte_for_byte(outcome: Outcome, name: str) -> None:
    raw, dead = outcome.raw(name), outcome.dead(name)
    assert (dead.key, dead.timestamp, dead.partition) == (raw.key, raw.timestamp, raw.partition)
    if name == "tombstone without a key":  # the client can send no record of nothing: it is said in a header
        assert (dead.value, dead.header("headrace.null")) == (b"", b"value")
    else:
        assert dead.value == raw.value
    ours = {SOURCE, CONTRACT, FINDINGS, ATTEMPTS}
    kept = [header for header in raw.headers if header[0] not in ours]
    assert list(dead.headers[: len(kept)]) == kept


@pytest.mark.parametrize("name", sorted(OVERSIZED))
def test_what_does_not_fit_with_our_headers_keeps_its_beginning_and_says_so(outcome: Outcome, name: str) -> None:
    raw, dead = outcome.raw(name), outcome.dead(name)
    cut = {header for header, _ in dead.headers if header.startswith("headrace.truncated")}
    whole = (dead.key, dead.value) == (raw.key, raw.value) and dead.headers[: len(raw.headers)] == raw.headers
    assert cut or whole
    assert (raw.value or b"").startswith(dead.value or b"")
    assert (raw.key or b"").startswith(dead.key or b"")
    assert dead.timestamp == raw.timestamp


@pytest.mark.parametrize("name", ["tombstone without a key", "NaN", "redriven", "forged headers", "990 kB"])
def test_a_dead_letter_record_says_where_it_came_from(outcome: Outcome, name: str) -> None:
    dead = outcome.dead(name)
    topic, partition, offset = outcome.offsets[name].rsplit(":", 2)
    number, at = int(partition), int(offset)
    assert topic == Topics("orders", outcome.settings.topic_prefix).raw
    assert dead.header(SOURCE) == f"{topic}:{partition}:{offset}".encode()
    assert dead.header(CONTRACT) == b"headrace-shop-orders:1.0.0"
    assert dead.header("__connect.errors.topic") == topic.encode()
    assert dead.header("__connect.errors.partition") == partition.encode()
    assert dead.header("__connect.errors.offset") == offset.encode()
    assert dead.header("kafka_dlt-original-topic") == topic.encode()
    assert dead.header("kafka_dlt-original-partition") == number.to_bytes(4, "big")
    assert dead.header("kafka_dlt-original-offset") == at.to_bytes(8, "big")
    assert dead.header("kafka_dlt-original-timestamp") == SENT.to_bytes(8, "big")
    names = [name for name, _ in dead.headers]
    assert all(names.count(ours) == 1 for ours in (SOURCE, CONTRACT, FINDINGS, ATTEMPTS))


def test_attempts_count_what_a_redrive_says(outcome: Outcome) -> None:
    assert outcome.dead("redriven").header(ATTEMPTS) == b"3"
    assert outcome.dead("NaN").header(ATTEMPTS) == b"1"
    assert outcome.dead("as of nonsense").header(ATTEMPTS) == b"1"


def test_findings_name_rule_path_and_message_but_no_value(outcome: Outcome) -> None:
    findings = json.loads(outcome.dead("a key twice").header(FINDINGS) or b"")
    assert all(set(finding) == {"rule", "severity", "dimension", "path", "message"} for finding in findings)


def test_a_personal_value_or_field_name_is_in_no_log_and_no_header(outcome: Outcome) -> None:
    dead, clean = outcome.dead("personal"), outcome.clean("with an unknown personal field")
    assert set(rules_of(dead, FINDINGS)) == {"quantity.type", "price.type"}
    assert rules_of(clean, WARNINGS) == ["record.unknownField"]
    for name, value in (*dead.headers, *clean.headers):
        assert PERSONAL.encode() not in (value or b""), name
    assert PERSONAL.encode() not in (clean.value or b"")
    assert PERSONAL not in outcome.log


@pytest.mark.parametrize("name", [name for name in NAMED if name.startswith(("good", "to be", "with an", "as of its"))])
def test_a_clean_record_keeps_key_partition_and_time_and_carries_source_and_contract(outcome: Outcome, name: str) -> None:
    raw, clean = outcome.raw(name), outcome.clean(name)
    assert (clean.key, clean.partition, clean.timestamp) == (raw.key, raw.partition, raw.timestamp)
    assert clean.header(SOURCE) == outcome.offsets[name].encode()
    assert clean.header(CONTRACT) == b"headrace-shop-orders:1.0.0"


def test_a_clean_record_is_canonical_and_marked_with_repairs_and_warnings(outcome: Outcome) -> None:
    assert outcome.clean("good").value == NAMED["good"].value
    repaired = outcome.clean("to be repaired")
    assert json.loads(repaired.value or b"")["quantity"] == 3
    assert json.loads(repaired.header(REPAIRS) or b"") == ["quantity.strip", "quantity.number"]
    marked = outcome.clean("with an unknown field")
    assert rules_of(marked, WARNINGS) == ["record.unknownField"]
    assert b"coupon" not in (marked.value or b"")


def test_a_record_is_judged_as_of_the_time_its_header_says(outcome: Outcome) -> None:
    assert outcome.clean("as of its own time").header(SOURCE)
    assert "order_date_future" in rules_of(outcome.dead("future"), FINDINGS)
