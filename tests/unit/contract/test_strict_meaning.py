"""Contracts are read strictly: what refers to something that is not there, or cannot mean anything, is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stream_app.contract import load_shop
from tests.support.contracts import PARENT, THINGS, refusal, refusal_of, write_shop


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small shop that is right, to put one mistake into."""
    return write_shop(tmp_path)


# --- conditions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ("quantity > 0", "quantity"),
        ("id > 0.5", "no matching overload"),
        ("id >", "Syntax error"),
        ("id + 1", "true or false"),
        ("id == 1 ? 1 : 2", "true or false"),
        ("note", "true or false"),
        ("true", "reads no field"),
        ("as_of > timestamp('2000-01-01T00:00:00Z')", "reads no field"),
        ("5", "true or false"),
        ("as_of < as_of + duration('1d') || id > 0", "duration('1d') has no value; write hours"),
        ("as_of < timestamp('2026-01-05') || id > 0", "timestamp('2026-01-05') has no value"),
        ("string(id).matches('(a')", "matches('(a') has no value; write a regular expression"),
    ],
)
def test_a_condition_that_is_not_one_is_refused(folder: Path, condition: str, says: str) -> None:
    message = refusal_of(folder, "condition: id > 0", f'condition: "{condition}"')
    assert says in message


def test_an_implementation_with_other_keys_is_refused(folder: Path) -> None:
    old = "        implementation:\n          condition: id > 0\n"
    message = refusal_of(folder, old, old + "          language: cel\n", marker="language: cel")
    assert "'language'" in message
    assert "condition: <CEL>" in message


# --- relationships ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("clients.customer_id", "unknown entity 'clients'"),
        ("customers.number", "no field 'number'"),
        ("customers.name", "recordKey"),
        ("customers", "does not match"),
    ],
)
def test_a_relationship_to_nothing_is_refused(folder: Path, target: str, says: str) -> None:
    file = folder / "things.odcs.yaml"
    file.write_text(THINGS.replace("customers.customer_id", target), encoding="utf-8")
    message = refusal(folder)
    assert re.match(re.escape(str(file)) + r":2[123]: ", message), message
    assert says in message


def test_a_relationship_to_another_type_is_refused(folder: Path) -> None:
    file = folder / "customers.odcs.yaml"
    file.write_text(PARENT.replace("integer", "string"), encoding="utf-8")
    message = refusal(folder)
    assert message.startswith(f"{folder / 'things.odcs.yaml'}:2")
    assert "type" in message


def test_entities_that_refer_to_each_other_in_a_circle_are_refused(folder: Path) -> None:
    file = folder / "customers.odcs.yaml"
    back = "        required: true\n        relationships:\n          - to: things.id\n"
    file.write_text(PARENT.replace("        required: true\n", back), encoding="utf-8")
    message = refusal(folder)
    assert "customers, things" in message
    assert "circle" in message


def test_an_entity_may_refer_to_itself(tmp_path: Path) -> None:
    parent = (
        "      - name: parent\n        logicalType: integer\n        relationships:\n          - to: customers.customer_id\n"
    )
    (tmp_path / "customers.odcs.yaml").write_text(PARENT + parent, encoding="utf-8")
    assert len(load_shop(tmp_path).contracts["customers"].references) == 1


# --- what names what --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("value: id\n", "value: number\n"),
        ("value: at\n", "value: code\n"),
        ("value: at\n", "value: moment\n"),
        ("value: warning", "value: warn"),
        ("value: warning", "value: [warning]"),
        ("value: [strip]", "value: [strip, wash]"),
        ("value: [strip]", "value: strip"),
        ("value: [strip]", "value: [[strip]]"),
        ("value: [strip]", "value: [number]"),
        ("value: [strip]", "value: [timestamp]"),
        ("value: [strip]", "value: [lower, upper]"),
    ],
)
def test_a_custom_property_with_an_impossible_value_is_refused(folder: Path, old: str, new: str) -> None:
    file = folder / "things.odcs.yaml"
    file.write_text(THINGS.replace(old, new), encoding="utf-8")
    assert re.match(re.escape(str(file)) + r":\d+: ", refusal(folder))


@pytest.mark.parametrize(
    "values", ["[NO, SE]", "[1, 2]", "[[A]]", "[]", "A", "[null]", "[{a: b}]", "[A, 1.5]"]
)  # NO is YAML's false
def test_valid_values_of_another_type_are_refused(folder: Path, values: str) -> None:
    refusal_of(folder, "validValues: [A, B]", f"validValues: {values}", marker="arguments:")


@pytest.mark.parametrize(
    ("spellings", "says"),
    [
        ("{UK: GB, GB: United Kingdom}", "GB"),
        ("{UK: Britain, uk: Albion}", "'uk' appears twice"),
        ("{UK: 5}", "strings"),
        ("[UK]", "strings"),
    ],
)
def test_spellings_that_lead_nowhere_certain_are_refused(folder: Path, spellings: str, says: str) -> None:
    file = folder / "things.odcs.yaml"
    text = THINGS.replace("property: clean", "property: spellings").replace("value: [strip]", f"value: {spellings}")
    file.write_text(text, encoding="utf-8")
    message = refusal(folder)
    assert message.startswith(f"{file}:3")
    assert says in message


def test_spellings_of_a_field_that_is_no_text_are_refused(folder: Path) -> None:
    old = "      - name: at\n        logicalType: timestamp\n"
    spell = "        customProperties:\n          - property: spellings\n            value: {A: B}\n"
    file = folder / "things.odcs.yaml"
    file.write_text(THINGS.replace(old, old + spell), encoding="utf-8")
    assert "string" in refusal(folder)


def test_a_segment_of_personal_data_is_refused(folder: Path) -> None:
    text = THINGS.replace("      - name: note\n", "      - name: note\n        classification: restricted\n")
    text = text.replace("property: unknownFields\n        value: warning", "property: segments\n        value: [note]")
    (folder / "things.odcs.yaml").write_text(text, encoding="utf-8")
    message = refusal(folder)
    assert "note" in message
    assert "personal" in message


@pytest.mark.parametrize("name", ["as_of", "a b", "1st", "größe", ""])
def test_a_field_name_that_conditions_could_not_use_is_refused(folder: Path, name: str) -> None:
    (folder / "things.odcs.yaml").write_text(THINGS.replace("name: note", f'name: "{name}"'), encoding="utf-8")
    assert refusal(folder).startswith(f"{folder / 'things.odcs.yaml'}:4")


def test_a_name_with_a_line_break_is_refused(folder: Path) -> None:
    (folder / "things.odcs.yaml").write_text(THINGS.replace("name: note", 'name: "note\\n"'), encoding="utf-8")
    assert "letters" in refusal(folder)


def test_a_field_that_is_declared_twice_is_refused(folder: Path) -> None:
    assert "twice" in refusal_of(
        folder, "name: note", "name: code", marker="name: code\n        logicalType: string\n      - name: at"
    )


@pytest.mark.parametrize("currency", ["gbp", "POUND", '"GB\\n"', "5"])
def test_a_currency_that_is_no_code_is_refused(folder: Path, currency: str) -> None:
    revenue = f"property: unknownFields\n        value: {{quantity: id, price: id, currency: {currency}}}"
    text = THINGS.replace("property: unknownFields\n        value: warning", revenue.replace("unknownFields", "revenue"))
    (folder / "things.odcs.yaml").write_text(text, encoding="utf-8")
    assert "ISO 4217" in refusal(folder)
