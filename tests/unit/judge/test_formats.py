"""Formats: what has each of them and what has not, the same on the fast way and on the thorough one."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import SchemaValidator, core_schema

from stream_app.contract.formats import FLOATS, FORMATS, INTEGERS, is_email, is_ipv6
from stream_app.judge import Judge
from tests.support.examples import examples
from tests.support.near import hold
from tests.support.records import AS_OF, broken, contract_of, encoded

RIGHT: dict[str, list[str]] = {
    "email": [
        "ada@example.org",
        "ada.byron+orders@mail.example.co.uk",
        "o'brien@example.com",
        "x@y.museum",
        "ada@xn--bcher-kva.example",
        "ada@b\u00fccher.example",
        "\u00e4da@example.org",
        "a" * 64 + "@example.org",
    ],
    "uuid": ["9b2e7a4c-1f6d-4c1e-8a57-3f0e5d2c1b4a", "9B2E7A4C-1F6D-4C1E-8A57-3F0E5D2C1B4A"],
    "uri": [
        "https://example.org",
        "https://ada:pw@example.org:8080/a/b?c=d&e#f",
        "http://[2001:db8::1]/",
        "mailto:ada@example.org",
        "urn:isbn:0451450523",
        "file:///tmp/x",
        "https://example.org/%C3%A9",
    ],
    "hostname": ["example.org", "localhost", "a-b.example", "3com.example", "x" * 63 + ".org"],
    "ipv4": ["0.0.0.0", "192.168.1.1", "255.255.255.255"],
    "ipv6": ["::", "::1", "2001:db8::8a2e:370:7334", "1:2:3:4:5:6:7:8", "::ffff:192.0.2.1"],
    "byte": ["aGk=", "aGVsbG8=", "YQ==", "YWJj"],
    "country": ["GB", "DE", "FR"],
    "country-name": ["United Kingdom", "South Korea", "Korea, Republic of", "T\u00fcrkiye", "United States of America"],
    "currency": ["GBP", "EUR", "XAU"],
}
WRONG: dict[str, list[str]] = {
    "email": [
        "ada",
        "@example.org",
        "ada@",
        "ada@localhost",
        "ada@example..org",
        ".ada@example.org",
        "ada.@example.org",
        "a da@example.org",
        "ada@exa_mple.org",
        "ada@-example.org",
        "ada@example.org.",
        "ada@shop.test",
        "ada@shop.invalid",
        "ada@127.0.0.1",
        "Ada <ada@example.org>",
        '"ada"@example.org',
        "ada@@example.org",
        "ada@ab--cd.org",
        "a" * 65 + "@example.org",
        "ada@" + "x" * 64 + ".org",
        "ada@" + "x.y" * 90 + ".org",
    ],
    "uuid": [
        "9b2e7a4c1f6d4c1e8a573f0e5d2c1b4a",
        "9b2e7a4c-1f6d-4c1e-8a57-3f0e5d2c1b4",
        "g" * 8 + "-1f6d-4c1e-8a57-3f0e5d2c1b4a",
    ],
    "uri": [
        "example.org",
        "/a/b",
        "https://exa mple.org",
        "://x",
        "1http://x",
        "https://x/%zz",
        "x:",
        "https://\u00e9.org",
        "a#b",
    ],
    "hostname": [
        "-a.org",
        "a-.org",
        "a..org",
        "a_b.org",
        "x" * 64 + ".org",
        "10.0.0.1",
        "a.",
        "x." * 127 + "org",
        "\u00e9.org",
    ],
    "ipv4": ["256.0.0.1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.4/8", "1.2.3.a"],
    "ipv6": ["1.2.3.4", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "::1%eth0", "12345::", "g::"],
    "byte": ["aGk", "aG=k", "aGk==", "a", "a-b_"],
    "country": ["gb", "GBR", "UK", "XX", "United Kingdom"],
    "country-name": ["Atlantis", "united kingdom", "UK", "GB"],
    "currency": ["gbp", "XXY", "\u00a3", "US Dollar"],
}


@cache
def judge_of(kind: str, form: str) -> Judge:
    with TemporaryDirectory() as folder:
        field = f"- name: a\n  logicalType: {kind}\n  logicalTypeOptions: {{format: {form}}}"
        return Judge(contract_of(Path(folder), field))


def findings(kind: str, form: str, value: Any) -> list[str]:
    """Findings of one value, after asserting that both ways come to the same verdict."""
    return broken(hold(judge_of(kind, form), encoded({"a": value}), AS_OF))


def test_every_format_has_examples() -> None:
    assert set(RIGHT) == set(WRONG) == set(FORMATS)


@pytest.mark.parametrize(("form", "text"), [(form, text) for form, texts in RIGHT.items() for text in texts])
def test_a_text_that_has_the_format_is_let_through_as_it_is(form: str, text: str) -> None:
    judge = judge_of("string", form)
    verdict = hold(judge, encoded({"a": text}), AS_OF)
    assert (broken(verdict), verdict.values) == ([], {"a": text})


@pytest.mark.parametrize(("form", "text"), [(form, text) for form, texts in WRONG.items() for text in texts])
def test_a_text_that_has_not_is_found(form: str, text: str) -> None:
    assert findings("string", form, text) == ["a.format"]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("value", [5, True, [], {"a": 1}])
def test_what_is_no_text_is_of_the_wrong_type(form: str, value: Any) -> None:
    assert findings("string", form, value) == ["a.type"]


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=examples(40), deadline=None)
@given(text=st.text(max_size=30) | st.text("ab1.@-:/%[]#", max_size=20), noise=st.text(max_size=2), at=st.integers(0, 40))
def test_any_text_gets_the_same_verdict_either_way(form: str, text: str, noise: str, at: int) -> None:
    good = RIGHT[form][at % len(RIGHT[form])]
    for value in (text, good[:at] + noise + good[at:]):
        hold(judge_of("string", form), encoded({"a": value.encode("utf-8", "replace").decode()}), AS_OF)


@pytest.mark.parametrize("form", [name for name, form in FORMATS.items() if form.plain])
@settings(max_examples=examples(50), deadline=None)
@given(data=st.data())
def test_what_the_fast_way_takes_for_plain_passes_the_library(form: str, data: st.DataObject) -> None:
    plain, test = FORMATS[form].plain, FORMATS[form].test
    assert plain is not None
    assert test is not None
    text = data.draw(st.from_regex(plain, fullmatch=True).filter(str.isascii))
    if SchemaValidator(core_schema.str_schema(pattern=plain)).isinstance_python(text):
        assert test(text), text


@settings(max_examples=examples(100), deadline=None)
@given(text=st.text(max_size=300))
def test_no_text_makes_a_format_fail(text: str) -> None:
    assert is_email(text) in (True, False)
    assert is_email(f"ada@{text}") in (True, False)
    assert is_ipv6(text) in (True, False)


def test_a_long_address_is_refused_without_being_read() -> None:
    assert not is_email("ada@" + "\u00fc" * 5_000_000 + ".org")


def test_pattern_and_format_are_rules_of_their_own(tmp_path: Path) -> None:
    field = '- {name: a, logicalType: string, logicalTypeOptions: {pattern: "^a", format: email}}'
    judge = Judge(contract_of(tmp_path, field))
    assert broken(judge.judge(b'{"a":"bob@example.org"}', AS_OF)) == ["a.pattern"]
    assert broken(judge.judge(b'{"a":"ada"}', AS_OF)) == ["a.format"]
    assert broken(judge.judge(b'{"a":"ada@example.org"}', AS_OF)) == []


def test_a_code_may_be_cleaned_into_its_format(tmp_path: Path) -> None:
    field = (
        "- name: a\n  logicalType: string\n  logicalTypeOptions: {format: country}\n"
        "  customProperties: [{property: clean, value: [strip, upper]}]"
    )
    verdict = Judge(contract_of(tmp_path, field)).judge(b'{"a":" gb"}', AS_OF)
    assert (broken(verdict), verdict.body) == ([], b'{"a":"GB"}')


@pytest.mark.parametrize("form", INTEGERS)
def test_an_integer_fits_its_size(form: str) -> None:
    least, most = INTEGERS[form]
    assert findings("integer", form, least) == []
    assert findings("integer", form, most) == []
    kind = "a.type" if form == "i64" else "a.format"
    assert findings("integer", form, least - 1) == [kind]
    assert findings("integer", form, most + 1) == [kind]
    assert findings("integer", form, 1.5) == ["a.type"]


def test_a_number_fits_its_size() -> None:
    for form, most in FLOATS.items():
        assert findings("number", form, most) == findings("number", form, -most) == []
    assert findings("number", "f32", FLOATS["f32"] * 1.0001) == ["a.format"]
    assert findings("number", "f64", FLOATS["f32"] * 1.0001) == []


def test_bounds_and_size_are_rules_of_their_own(tmp_path: Path) -> None:
    field = "- {name: a, logicalType: integer, logicalTypeOptions: {minimum: 10, format: i8}}"
    judge = Judge(contract_of(tmp_path, field))
    assert broken(judge.judge(b'{"a":9}', AS_OF)) == ["a.minimum"]
    assert broken(judge.judge(b'{"a":128}', AS_OF)) == ["a.format"]
    assert broken(judge.judge(b'{"a":127}', AS_OF)) == []
