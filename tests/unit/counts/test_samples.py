"""Samples of findings and clean records: bounded, newest last, nothing personal in them, old entries still read."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from stream_app.counts.personal import is_personal
from stream_app.counts.samples import (
    CLEAN_RECORDS,
    FINDINGS,
    MASK,
    CleanRecord,
    RecentFinding,
    Samples,
    clean_records,
    mask,
    recent_findings,
)
from tests.support.records import AS_OF, GOOD, encoded, judged, order, shop


def samples(entity: str = "orders", name: str = "built-in") -> Samples:
    return Samples(shop(name).contracts[entity])


# --- what a writer keeps ----------------------------------------------------------------------------------------------


def test_a_finding_names_the_segments_of_its_record_but_not_by_a_field_at_fault() -> None:
    kept = samples("customers")
    customer = GOOD["built-in", "customers"]
    kept.add(judged(encoded(customer | {"email": "nobody"}), "customers"), "customers:0:1")
    kept.add(judged(encoded(customer | {"country": "Atlantis"}), "customers"), "customers:0:2")
    assert [finding.segments for finding in kept.findings] == [{"country": customer["country"]}, {}]


def test_a_finding_names_the_segments_of_referenced_records() -> None:
    kept = samples()
    kept.add(judged(encoded(order(quantity=0))), "orders:0:1", {"product_id.category": "Toys"})
    assert kept.findings[-1].segments["product_id.category"] == "Toys"


def test_clean_records_mask_personal_fields() -> None:
    kept = samples("customers")
    verdict = judged(encoded(GOOD["built-in", "customers"] | {"country": "uk"}), "customers")
    kept.add(verdict, "customers:0:3")
    [text] = kept.encoded_clean()
    assert b"Ada" not in text
    assert b"ada@" not in text
    assert json.loads(text) == {
        "source": "customers:0:3",
        "event_time": verdict.event_ms,
        "record": {"customer_id": 7, "name": MASK, "email": MASK, "country": "United Kingdom"},
        "repairs": ["country.spelling"],
        "warnings": [],
    }


def test_only_clean_records_are_kept_as_such_and_only_the_newest() -> None:
    kept = samples()
    for number in range(1, 101):
        kept.add(judged(encoded(order(order_id=number))), f"orders:0:{number}")
        kept.add(judged(encoded(order(order_id=number, quantity=0))), f"orders:1:{number}")
    rows = [json.loads(row) for row in kept.encoded_clean()]
    assert [row["record"]["order_id"] for row in rows] == list(range(101 - CLEAN_RECORDS, 101))


def test_findings_hold_no_values_and_are_bounded() -> None:
    kept = samples("customers")
    raw = encoded(
        {"customer_id": "secret-1", "name": "secret-2\x00", "email": "secret-3", "country": "secret-4", "secret-5": 1}
    )
    for number in range(1000):
        kept.add(judged(raw, "customers"), f"customers:0:{number}")
    assert b"secret" not in b"".join(kept.encoded_findings(1))
    assert len(kept.findings) <= FINDINGS
    assert kept.findings[-1].source == "customers:0:999"


def test_info_findings_are_not_kept() -> None:
    kept = samples(name="online-retail")
    guest = GOOD["online-retail", "orders"] | {"customer_id": None}
    kept.add(judged(encoded(guest), "orders", "online-retail"), "orders:0:0")
    assert list(kept.findings) == []


# --- what a reader gets -----------------------------------------------------------------------------------------------


def test_stored_findings_come_back_with_the_time_when_they_were_counted() -> None:
    kept = samples("customers")
    kept.add(judged(encoded(GOOD["built-in", "customers"] | {"email": "nobody"}), "customers"), "customers:0:1")
    [found] = recent_findings(kept.encoded_findings(17))
    assert found.at == 17
    assert (found.entity, found.rule, found.severity, found.path) == ("customers", "email.format", "error", "$.email")
    assert (found.dimension, found.source, found.event_time) == ("conformity", "customers:0:1", AS_OF)
    assert found.message == shop("built-in").contracts["customers"].rules["email.format"].message


def test_stored_clean_records_come_back() -> None:
    kept = samples()
    kept.add(judged(encoded(order(order_id=3, quantity="2"))), "orders:0:1")
    [found] = clean_records(kept.encoded_clean(), ())
    assert (found.source, found.record["order_id"], found.repairs) == ("orders:0:1", 3, ("quantity.number",))


def test_entries_of_older_versions_are_read_and_broken_ones_left_out() -> None:
    broken: list[str | bytes] = [b"", b"[]", b"\xff", '{"event_time":"soon","record":{}}', "{"]
    old_finding = '{"entity":"orders","rule":"a.b","severity":"error","event_time":5,"at":6}'
    old_record = '{"source":"orders:0:1","event_time":null,"record":{"order_id":1}}'
    assert recent_findings([*broken, old_finding]) == (
        RecentFinding(entity="orders", rule="a.b", severity="error", event_time=5, at=6),
    )
    assert clean_records([*broken, old_record], ()) == (CleanRecord(source="orders:0:1", record={"order_id": 1}),)


def test_personal_fields_are_masked_even_where_the_writer_forgot() -> None:
    rows = ['{"source":"customers:0:1","event_time":1,"record":{"email":"ann@example.org","country":"France"}}']

    assert clean_records(rows, frozenset({"email"}))[0].record == {"email": MASK, "country": "France"}


values = st.dictionaries(
    st.text(max_size=3),
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
)


@given(values, st.sets(st.text(max_size=3)))
def test_masking_changes_personal_values_only(record: dict[str, object], personal: set[str]) -> None:
    body = json.dumps(record, ensure_ascii=False).encode()
    before, after = json.loads(body), json.loads(mask(body, personal))
    personal |= {name for name, value in before.items() if isinstance(value, str) and is_personal(value)}
    assert after == {name: MASK if name in personal and value is not None else value for name, value in before.items()}
    assert list(after) == list(before)
