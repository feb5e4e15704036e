"""A record as viewers see it: personal data masked, numbers in their own digits, malformed bytes as their shape."""

from __future__ import annotations

import pytest

from stream_app.contract import load_shop
from stream_app.contract.summary import describe
from stream_app.judge.verdict import read_findings
from stream_app.views.record import RAW_SHOWN, content

CUSTOMERS, ORDERS = (describe(load_shop(None).contracts[entity]) for entity in ("customers", "orders"))


def test_personal_fields_are_masked_and_say_only_what_they_are() -> None:
    value = b'{"customer_id":7,"name":"Ada Byron","email":"ada@example.org","country":"France","e-mail":"bob@example.org"}'
    shown = content(value, CUSTOMERS, ())
    texts = {row.name: row.shown for row in shown.rows}

    assert texts["email"] == "••• (text of 15 characters)"
    assert texts["country"] == "France"
    assert texts["e-mail"] == "••• (text of 15 characters, not in the contract)"
    assert "Ada" not in repr(shown)
    assert "@" not in repr(shown)


@pytest.mark.parametrize(
    "value",
    [
        b'{"customer_id":7,"name":"Ada Byron","email":"ada@example.org"',
        b'["Ada Byron", "ada@example.org"]',
        b'{"name":"Ada Byron","email":"ada\xff@example.org"}',
        "{'name': 'Ada Byrön', 'tel': '+49 170'}".encode("latin-1"),
    ],
)
def test_malformed_bytes_of_a_contract_with_personal_fields_show_their_shape_only(value: bytes) -> None:
    shown = content(value, CUSTOMERS, ())

    assert shown.shape
    assert shown.raw is not None
    assert not any(word in shown.raw for word in ("Ada", "Byr", "ada", "example", "org", "49", "170"))
    assert len(shown.raw) >= len(value)


def test_the_shape_keeps_what_tells_where_the_text_breaks() -> None:
    shown = content(b'{"email":"ada@example.org","customer_id":17,"country":null,"x":\xff}', CUSTOMERS, ())

    assert shown.raw == '{"email":"xxx@xxxxxxx.xxx","customer_id":00,"country":null,"x":\\xff}'


def test_malformed_bytes_without_personal_fields_are_escaped_and_cut() -> None:
    shown = content(b"\x00\xfe{" + b"a" * 50_000, ORDERS, ())

    assert shown.raw is not None
    assert shown.raw.startswith("\x00\\xfe{aaa")
    assert len(shown.raw) < RAW_SHOWN + 60
    assert shown.raw.endswith("(50,003 bytes in all)")
    assert content(None, ORDERS, ()).raw == ""


def test_numbers_are_shown_in_their_own_digits() -> None:
    rows = content(b'{"order_id":9007199254740993,"price":1.10,"quantity":1e400}', ORDERS, ()).rows

    assert {row.name: row.shown for row in rows if row.shown} == {
        "order_id": "9007199254740993",
        "price": "1.10",
        "quantity": "1e400",
    }


def test_a_header_that_is_not_a_list_of_findings_gives_none() -> None:
    for header in (None, b"", b"{", b"[1]", b'"x"', b"\xff"):
        assert read_findings(header) == ()
