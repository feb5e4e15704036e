"""Each defect in the bytes of a record has a rule of its own, and nothing raises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stream_app.contract.compile import AS_OF_RULE, RECORD_RULES
from stream_app.judge import Judge
from tests.support.records import AS_OF, broken, encoded, judge_of, judged, order, shop

GOOD = encoded(order())


def test_a_good_order_is_clean_and_keeps_its_bytes() -> None:
    verdict = judged(GOOD)
    assert verdict.body == GOOD
    assert not verdict.rejected
    assert verdict.findings == ()
    assert verdict.repairs == ()
    assert verdict.event_ms == 1_714_557_600_000


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        pytest.param(None, "record.tombstone", id="tombstone"),
        pytest.param(b"", "record.empty", id="empty"),
        pytest.param(b" \t\r\n", "record.empty", id="white space"),
        pytest.param(b"x" * (256 * 1024 + 1), "record.oversized", id="oversized"),
        pytest.param(b" " * (256 * 1024) + GOOD, "record.oversized", id="oversized with white space"),
        pytest.param(b"\xff\xfe", "record.encoding", id="not UTF-8"),
        pytest.param(GOOD[:-1] + b',"x":"caf\xe9"}', "record.encoding", id="Latin-1"),
        pytest.param(GOOD[:-1] + b',"x":"\xed\xa0\x80"}', "record.encoding", id="surrogate as UTF-8"),
        pytest.param(GOOD[:-1] + b',"x":"\xc0\x80"}', "record.encoding", id="overlong NUL"),
        pytest.param(GOOD.decode().encode("utf-16"), "record.encoding", id="UTF-16"),
        pytest.param(b"\xef\xbb\xbf" + GOOD, "record.syntax", id="byte order mark"),
        pytest.param(b"hello", "record.syntax", id="text"),
        pytest.param(b"\x00", "record.syntax", id="NUL"),
        pytest.param(GOOD + b"\x00", "record.syntax", id="NUL behind"),
        pytest.param(GOOD + GOOD, "record.syntax", id="two objects"),
        pytest.param(GOOD[:-1], "record.syntax", id="cut short"),
        pytest.param(GOOD[:-1] + b",}", "record.syntax", id="trailing comma"),
        pytest.param(GOOD.replace(b'"', b"'"), "record.syntax", id="single quotes"),
        pytest.param(b'{"order_id":01}', "record.syntax", id="leading zero"),
        pytest.param(b'{"order_id":0x1}', "record.syntax", id="hexadecimal"),
        pytest.param(b'{"order_id":+1}', "record.syntax", id="plus"),
        pytest.param(b'{"order_id":1.}', "record.syntax", id="no digit behind the point"),
        pytest.param(b'{"order_id":.5}', "record.syntax", id="no digit before the point"),
        pytest.param(b'{"order_id":1} // c', "record.syntax", id="comment"),
        pytest.param(b'{order_id:1}', "record.syntax", id="key without quotes"),
        pytest.param(b'{1:1}', "record.syntax", id="number as key"),
        pytest.param(b'{"a":"\\ud800"}', "record.syntax", id="lone high surrogate"),
        pytest.param(b'{"a":"\\udc00"}', "record.syntax", id="lone low surrogate"),
        pytest.param(b'{"a":"\\ud800\\u0041"}', "record.syntax", id="high surrogate and a letter"),
        pytest.param(b'{"\\ud800":1}', "record.syntax", id="lone surrogate in a key"),
        pytest.param(b'{"a":"\x00"}', "record.syntax", id="bare NUL in a string"),
        pytest.param(b'{"a":"\n"}', "record.syntax", id="bare line break in a string"),
        pytest.param(b'{"a":"\\x41"}', "record.syntax", id="unknown escape"),
        pytest.param(b"\x0b{}", "record.syntax", id="vertical tab before"),
        pytest.param("\u00a0{}".encode(), "record.syntax", id="no-break space before"),
        pytest.param(b'{"price":NaN}', "record.number", id="NaN"),
        pytest.param(b'{"price":Infinity}', "record.number", id="Infinity"),
        pytest.param(b'{"price":-Infinity}', "record.number", id="-Infinity"),
        pytest.param(b'{"other":NaN}', "record.number", id="NaN in an unknown field"),
        pytest.param(b"NaN", "record.number", id="NaN alone"),
        pytest.param(b'{"price":' + b"9" * 5000 + b"}", "record.number", id="5,000 digits"),
        pytest.param(b'{"other":' + b"9" * 5000 + b"}", "record.number", id="5,000 digits in an unknown field"),
        pytest.param(b'{"price":-' + b"9" * 5000 + b".5}", "record.number", id="5,000 digits before the point"),
        pytest.param(b'{"price":0.' + b"9" * 5000 + b"}", "record.number", id="5,000 digits behind the point"),
        pytest.param(b'{"price":1e' + b"9" * 5000 + b"}", "record.number", id="an exponent of 5,000 digits"),
        pytest.param(b"[" * 10_000, "record.nesting", id="10,000 open arrays"),
        pytest.param(b"[" * 10_000 + b"]" * 10_000, "record.nesting", id="arrays nested 10,000 deep"),
        pytest.param(b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "record.nesting", id="objects nested 10,000 deep"),
        pytest.param(b'{"price":' + b"[" * 10_000 + b"]" * 10_000 + b"}", "record.nesting", id="a field nested 10,000 deep"),
        pytest.param(b'{"a":[' * 5000 + b"]}" * 5000, "record.nesting", id="both nested 10,000 deep"),
        pytest.param(b"[]", "record.notObject", id="array"),
        pytest.param(b"[" + GOOD + b"]", "record.notObject", id="array of a good one"),
        pytest.param(b"null", "record.notObject", id="null"),
        pytest.param(b"true", "record.notObject", id="true"),
        pytest.param(b"1", "record.notObject", id="number"),
        pytest.param(b'"text"', "record.notObject", id="string"),
        pytest.param(json.dumps(GOOD.decode()).encode(), "record.notObject", id="JSON within JSON"),
    ],
)  # fmt: skip
def test_a_value_that_is_no_json_object_is_rejected_by_one_rule(raw: bytes | None, rule: str) -> None:
    verdict = judged(raw)
    assert broken(verdict) == [rule]
    assert verdict.rejected
    assert verdict.body is None
    assert verdict.values is None
    assert verdict.event_ms == AS_OF


def test_a_long_number_behind_the_point_is_rejected_however_good_the_rest() -> None:
    raw = GOOD.replace(b"9.99", b"9.99" + b"0" * 500)
    assert broken(judged(raw)) == ["record.number"]


def test_a_long_number_within_a_text_is_no_number() -> None:
    record = {"product_id": 3, "category": "9" * 500, "unit_price": 1.0}
    assert broken(judged(encoded(record), "products")) == ["category.maxLength"]


def test_the_size_limit_counts_bytes_and_includes_itself() -> None:
    contract = shop("built-in").contracts["orders"]
    assert not Judge(contract, len(GOOD)).judge(GOOD, AS_OF).rejected
    assert broken(Judge(contract, len(GOOD) - 1).judge(GOOD, AS_OF)) == ["record.oversized"]


@pytest.mark.parametrize(
    "raw",
    [
        GOOD.replace(b'{"order_id"', b'{"order_id":2,"order_id"'),
        GOOD[:-1] + b',"order_id":1}',
        GOOD[:-1] + b',"order_id" :1}',
        GOOD[:-1] + b',"order_id"\t:1}',
        GOOD[:-1] + b',"order_id"\n:1}',
        GOOD[:-1] + b',"order_id"\r:1}',
        GOOD[:-1] + b',"order_id" \n\t :1}',
        GOOD[:-1] + b',"\\u006frder_id":1}',
        GOOD[:-1] + b',"order\\u005fid":1}',
        GOOD[:-1] + b',"order\\u005Fid" : 1 }',
        b" " + GOOD[:-1] + b',"order_id":1}\n',
    ],
)
def test_a_key_that_stands_twice_is_rejected_in_every_disguise(raw: bytes) -> None:
    verdict = judged(raw)
    assert broken(verdict) == ["record.duplicateKey"]
    assert verdict.rejected


def test_a_key_that_stands_twice_is_found_in_unknown_and_nested_objects() -> None:
    assert set(broken(judged(GOOD[:-1] + b',"x":1,"x":2}'))) == {"record.duplicateKey", "record.unknownField"}
    assert set(broken(judged(GOOD[:-1] + b',"x":[{"y":1,"y":2}]}'))) == {"record.duplicateKey", "record.unknownField"}


@pytest.mark.parametrize(
    "raw", [GOOD.replace(b'":', b'" : '), b"\n" + GOOD + b"\n", GOOD.replace(b"order_id", b"\\u006frder_id")]
)
def test_white_space_and_escapes_are_no_fault(raw: bytes) -> None:
    verdict = judged(raw)
    assert verdict.body == GOOD
    assert verdict.findings == ()
    assert verdict.repairs == ()


def test_the_order_of_the_fields_does_not_matter() -> None:
    verdict = judged(encoded(dict(reversed(order().items()))))
    assert verdict.body == GOOD
    assert verdict.findings == ()


def test_an_unknown_field_is_marked_and_left_out() -> None:
    verdict = judged(encoded(order(note="x")))
    assert broken(verdict) == ["record.unknownField"]
    assert not verdict.rejected
    assert verdict.body == GOOD


@pytest.mark.parametrize("key", ["Order_ID", "order_id ", "", "__proto__", "orderid", "\u200border_id"])
def test_a_key_that_is_not_exactly_the_fields_is_unknown(key: str) -> None:
    assert broken(judged(encoded(order() | {key: 1}))) == ["record.unknownField"]


@pytest.mark.parametrize("value", ["9" * 398, "1e999", "-1e999", "1e-999", "[[[[]]]]", '{"a":{"b":[]}}', "-0", "-0.0"])
def test_what_an_unknown_field_holds_stops_nothing(value: str) -> None:
    verdict = judged(GOOD[:-1] + b',"x":' + value.encode() + b"}")
    assert broken(verdict) == ["record.unknownField"]
    assert verdict.body == GOOD


def test_every_record_rule_has_a_case_here() -> None:
    assert set(RECORD_RULES) <= set(judge_of("built-in", "orders").contract.rules)
    source = Path(__file__).read_text("utf-8")
    # Found in the headers (tests/unit/worker/test_as_of.py), when a topic does not take the record, and in what has no bytes to
    # judge (tests/integration/worker/test_unreadable.py, test_tombstones.py).
    others = {AS_OF_RULE, "record.refused", "record.unreadable", "record.deleted"}
    assert [rule for rule in RECORD_RULES if f'"{rule}"' not in source and rule not in others] == []
