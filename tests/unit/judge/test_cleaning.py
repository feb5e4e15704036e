"""Cleaning: each step, what it leaves alone, and that it is noted."""

from __future__ import annotations

from typing import Any

import pytest

from stream_app.contract import Field
from stream_app.contract.model import LogicalType
from stream_app.judge.cleaning import cleaner
from tests.support.records import GOOD, broken, encoded, judged


def cleaned(value: Any, kind: LogicalType, *steps: str, **more: Any) -> tuple[Any, list[str]]:
    return cleaner(Field("f", kind, clean=steps, **more))(value)


@pytest.mark.parametrize(
    ("step", "before", "after"),
    [
        ("strip", "  a b\t\n", "a b"),
        ("strip", "\u00a0a\u2003", "a"),
        ("collapse", "a  b\t\nc", "a b c"),
        ("nfc", "e\u0301", "\u00e9"),
        ("nfc", "\u212b", "\u00c5"),
        ("lower", "A@B.Co", "a@b.co"),
        ("upper", "a1b", "A1B"),
        ("emptyToNull", "", None),
    ],
)
def test_a_text_step_changes_and_is_noted(step: str, before: str, after: Any) -> None:
    assert cleaned(before, "string", step) == (after, [step])
    assert cleaned(after, "string", step) == (after, [])


@pytest.mark.parametrize(
    ("before", "after"),
    [("5", 5), ("-5", -5), ("+5", 5), ("007", 7), ("5.0", 5), ("5.000", 5), (5.0, 5), (-0.0, 0), ("9" * 18, 10**18 - 1)],
)
def test_an_integer_is_read_out_of_what_is_one(before: Any, after: int) -> None:
    value, steps = cleaned(before, "integer", "number")
    assert (value, type(value), steps) == (after, int, ["number"])


@pytest.mark.parametrize(
    "value",
    [
        "5.5",
        "1e3",
        "1,000",
        "0x10",
        "1_000",
        "",
        " 5",
        "--5",
        "5-",
        "\u0665",
        "9" * 19,
        "NaN",
        5.5,
        1e300,
        True,
        [5],
        {"n": 5},
        2**70,
    ],
)
def test_what_is_no_integer_is_left_for_the_checks(value: Any) -> None:
    found, steps = cleaned(value, "integer", "number")
    assert found == value
    assert type(found) is type(value)
    assert steps == []


@pytest.mark.parametrize(
    ("before", "after"), [("5", 5.0), ("-1.5", -1.5), (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0), ("1E-2", 0.01), ("0.10", 0.1)]
)
def test_a_number_is_read_out_of_what_is_one(before: str, after: float) -> None:
    value, steps = cleaned(before, "number", "number")
    assert (value, type(value), steps) == (after, float, ["number"])


@pytest.mark.parametrize(
    "value", ["1,5", "1.2.3", "inf", "Infinity", "nan", "1e400", "1e", "e5", ".", "", "\u0661", "9" * 16, True, 7]
)
def test_what_is_no_number_is_left_for_the_checks(value: Any) -> None:
    assert cleaned(value, "number", "number") == (value, [])


@pytest.mark.parametrize(
    ("before", "after"), [("true", True), ("Yes", True), ("1", True), ("FALSE", False), ("no", False), ("0", False)]
)
def test_a_boolean_is_read_out_of_words(before: str, after: bool) -> None:
    assert cleaned(before, "boolean", "boolean") == (after, ["boolean"])


@pytest.mark.parametrize("value", ["y", "on", "", 1, 0, "2"])
def test_what_is_no_boolean_is_left_for_the_checks(value: Any) -> None:
    found, steps = cleaned(value, "boolean", "boolean")
    assert (found, type(found), steps) == (value, type(value), [])


def test_a_time_without_offset_is_local_time_of_the_contracts_zone() -> None:
    options = {"defaultTimezone": "Europe/London"}
    assert cleaned("2010-07-01 08:26", "timestamp", "timestamp", options=options)[0] == "2010-07-01T07:26:00Z"
    assert cleaned("2010-12-01 08:26", "timestamp", "timestamp", options=options)[0] == "2010-12-01T08:26:00Z"
    assert cleaned("2010-07-01T08:26Z", "timestamp", "timestamp", options=options)[0] == "2010-07-01T08:26:00Z"


@pytest.mark.parametrize("value", [None, 5, 1.5, True, [], {}, ["  a  "]])
def test_what_is_no_text_is_left_alone_by_text_steps(value: Any) -> None:
    assert cleaned(value, "string", "nfc", "strip", "collapse", "lower", "emptyToNull") == (value, [])


def test_steps_are_noted_once_each_in_their_order() -> None:
    assert cleaned("  e\u0301  B ", "string", "nfc", "strip", "collapse", "lower") == (
        "\u00e9 b",
        ["nfc", "strip", "collapse", "lower"],
    )


def test_steps_run_until_nothing_changes() -> None:
    value, steps = cleaned(" \t ", "string", "emptyToNull", "strip")
    assert value is None
    assert steps == ["strip", "emptyToNull"]
    value, steps = cleaned("\u1fb7", "string", "nfc", "upper")
    assert cleaned(value, "string", "nfc", "upper") == (value, [])


def test_a_spelling_is_found_whatever_its_case_and_after_the_steps() -> None:
    spellings = {"UK": "United Kingdom", "Great Britain": "United Kingdom"}
    for text in ("UK", "uk", "great BRITAIN"):
        assert cleaned(text, "string", spellings=spellings) == ("United Kingdom", ["spelling"])
    assert cleaned(" Great  Britain ", "string", "strip", "collapse", spellings=spellings) == (
        "United Kingdom",
        ["strip", "collapse", "spelling"],
    )
    assert cleaned("United Kingdom", "string", spellings=spellings) == ("United Kingdom", [])
    assert cleaned(["UK"], "string", spellings=spellings) == (["UK"], [])


@pytest.mark.parametrize(
    ("country", "becomes", "repairs"),
    [
        ("UK", "United Kingdom", ("country.spelling",)),
        ("españa", "Spain", ("country.spelling",)),
        ("  The   Netherlands", "Netherlands", ("country.strip", "country.collapse", "country.spelling")),
        ("France", "France", ()),
        ("fr", "France", ("country.spelling",)),
    ],
)
def test_a_customers_country_gets_one_spelling(country: str, becomes: str, repairs: tuple[str, ...]) -> None:
    record = GOOD["built-in", "customers"]
    verdict = judged(encoded(record | {"country": country}), "customers")
    assert broken(verdict) == []
    assert verdict.body == encoded(record | {"country": becomes})
    assert verdict.repairs == repairs


def test_repairs_of_several_fields_come_in_the_order_of_the_contract() -> None:
    raw = encoded({"email": " Ada@Example.ORG", "name": " Ada  Byron", "customer_id": "7", "country": "uk"})
    verdict = judged(raw, "customers")
    assert verdict.body == encoded(GOOD["built-in", "customers"])
    assert verdict.repairs == (
        "customer_id.number", "name.strip", "name.collapse", "email.strip", "email.lower", "country.spelling",
    )  # fmt: skip
