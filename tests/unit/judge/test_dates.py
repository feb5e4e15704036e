"""Days and moments: what is read, in which forms and zones, and what is left for the checks."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_app.contract.dateformat import date_pattern
from stream_app.judge import Judge
from tests.support.contracts import THINGS, refusal_of, write_shop
from tests.support.examples import examples
from tests.support.near import hold
from tests.support.records import AS_OF, broken, contract_of, encoded


@cache
def judge_of(kind: str, options: str = "{}") -> Judge:
    with TemporaryDirectory() as folder:
        return Judge(contract_of(Path(folder), f"- name: a\n  logicalType: {kind}\n  logicalTypeOptions: {options}"))


def read(kind: str, value: object, options: str = "{}") -> str | list[str]:
    """The text that becomes of a value, or what is found in it."""
    verdict = hold(judge_of(kind, options), encoded({"a": value}), AS_OF)
    return broken(verdict) or (verdict.body or b"").decode()[6:-2]


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("2024-05-01", "2024-05-01"),
        ("2024-02-29", "2024-02-29"),
        (" 2024-05-01 ", "2024-05-01"),
        ("2024-05-01T00:00:00Z", "2024-05-01"),
        ("2024-05-01 00:00", "2024-05-01"),
        ("2024-05-01T00:00:00.000+05:30", "2024-05-01"),
        ("0001-01-01", "0001-01-01"),
        ("9999-12-31", "9999-12-31"),
    ],
)
def test_a_day_is_read(text: str, becomes: str) -> None:
    assert read("date", text) == becomes


@pytest.mark.parametrize(
    "text",
    ["2024-02-30", "2023-02-29", "2024-13-01", "0000-01-01", "2024-05-01T10:00:00Z", "2024-05-01T00:00:00.000001Z",
     "01/05/2024", "2024-5-1", "20240501", "today", "\u0662\u0660\u0662\u0664-05-01"],
)  # fmt: skip
def test_what_is_no_day_is_of_the_wrong_type(text: str) -> None:
    assert read("date", text) == ["a.type"]


@pytest.mark.parametrize("value", [5, 20240501, True, ["2024-05-01"]])
def test_a_day_is_a_text(value: object) -> None:
    assert read("date", value) == ["a.type"]


def test_the_bounds_of_a_day_include_themselves_unless_they_say_not() -> None:
    closed = "{minimum: '2024-01-01', maximum: '2024-12-31'}"
    assert read("date", "2024-01-01", closed) == "2024-01-01"
    assert read("date", "2024-12-31", closed) == "2024-12-31"
    assert read("date", "2023-12-31", closed) == ["a.minimum"]
    assert read("date", "2025-01-01", closed) == ["a.maximum"]
    opened = "{exclusiveMinimum: '2024-01-01', exclusiveMaximum: '2024-12-31'}"
    assert read("date", "2024-01-01", opened) == ["a.exclusiveMinimum"]
    assert read("date", "2024-12-31", opened) == ["a.exclusiveMaximum"]
    assert read("date", "2024-01-02", opened) == "2024-01-02"


@pytest.mark.parametrize(
    ("form", "text", "becomes"),
    [
        ("dd/MM/yyyy", "01/05/2024", "2024-05-01"),
        ("dd/MM/yyyy", "2024-05-01", "2024-05-01"),
        ("dd/MM/yyyy", "1/5/2024", ["a.type"]),
        ("dd/MM/yyyy", "31/02/2024", ["a.type"]),
        ("d.M.yyyy", "1.5.2024", "2024-05-01"),
        ("MM-dd-yyyy", "05-01-2024", "2024-05-01"),
        ("yyyyMMdd", "20240501", "2024-05-01"),
        ("yyyy-MM-dd", "2024-05-01", "2024-05-01"),
        ("'day' dd 'of' MM/yyyy", "day 01 of 05/2024", "2024-05-01"),
    ],
)
def test_a_day_may_come_in_the_agreed_form_too(form: str, text: str, becomes: str | list[str]) -> None:
    assert read("date", text, f'{{format: "{form}"}}') == becomes


@pytest.mark.parametrize(
    ("options", "text", "becomes"),
    [
        ('{format: "dd.MM.yyyy HH:mm"}', "01.05.2024 10:30", "2024-05-01T10:30:00Z"),
        ('{format: "dd.MM.yyyy HH:mm", defaultTimezone: Europe/London}', "01.05.2024 10:30", "2024-05-01T09:30:00Z"),
        ('{format: "dd.MM.yyyy HH:mm:ss.SSS X"}', "01.05.2024 10:30:05.250 +02", "2024-05-01T08:30:05.250000Z"),
        ('{format: "dd.MM.yyyy"}', "01.05.2024", "2024-05-01T00:00:00Z"),
        ('{format: "dd.MM.yyyy"}', "2024-05-01T10:00:00Z", "2024-05-01T10:00:00Z"),
        ("{timezone: true}", "2024-05-01T10:00:00+02:00", "2024-05-01T08:00:00Z"),
        ("{timezone: true}", "2024-05-01T10:00:00", ["a.type"]),
        ("{timezone: false}", "2024-05-01T10:00:00", "2024-05-01T10:00:00Z"),
    ],
)
def test_a_moment_is_read_by_its_form_and_zone(options: str, text: str, becomes: str | list[str]) -> None:
    assert read("timestamp", text, options) == becomes


forms = st.sampled_from(["{}", '{format: "dd/MM/yyyy"}', '{format: "d.M.yyyy"}', "{minimum: '2000-01-01'}"])


@settings(max_examples=examples(150), deadline=None)
@given(options=forms, text=st.dates().map(str) | st.text("0123456789-/.T:Z ", max_size=14), pad=st.sampled_from(["", " "]))
def test_any_text_of_a_day_gets_the_same_verdict_either_way(options: str, text: str, pad: str) -> None:
    read("date", pad + text, options)


def test_conditions_compare_days_with_moments(tmp_path: Path) -> None:
    properties = "- {name: born, logicalType: date}\n- {name: died, logicalType: date, required: true}"
    quality = "".join(
        f"  - {{id: {name}, type: custom, engine: headrace, dimension: accuracy, implementation: {{condition: '{text}'}}}}\n"
        for name, text in {"order": "born <= died", "past": "died < as_of"}.items()
    )
    judge = Judge(contract_of(tmp_path, properties, "quality:\n" + quality))
    assert broken(judge.judge(b'{"born":"2024-04-30","died":"2024-05-01"}', AS_OF)) == []
    assert broken(judge.judge(b'{"born":"2024-05-01","died":"2024-04-30"}', AS_OF)) == ["order"]
    assert broken(judge.judge(b'{"born":null,"died":"2024-05-02"}', AS_OF)) == ["past"]


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("format: dd/MM", "year, month or day is missing"),
        ("format: yyyy", "year, month or day is missing"),
        ("format: yyyy-dd-MM", "month and day do not follow"),
        ("format: dd/MM/yy", "unsupported part 'yy'"),
        ("format: dd/MM/yyyy EEE", "unsupported part 'EEE'"),
        ("format: dd/MM/yyyy dd", "twice"),
        ("format: dd/MM/yyyy mm", "without an hour"),
        ("format: dd/MM/yyyy X", "without an hour"),
        ("timezone: maybe", "not of type 'boolean'"),
        ("timezone: true\n          defaultTimezone: UTC", "remove one"),
    ],
)
def test_a_way_of_reading_that_leaves_something_open_is_refused(tmp_path: Path, option: str, says: str) -> None:
    marker = "logicalTypeOptions:\n          timezone" if "default" in option else option
    message = refusal_of(write_shop(tmp_path), 'minimum: "2000-01-01T00:00:00Z"', option, marker)
    assert says in message


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("format: dd/MM/yyyy HH:mm", "use logicalType timestamp"),
        ("minimum: 2000-01", "2000-01-01"),
        ("minimum: 2000", "not of type 'string'"),
        ('minimum: "2000-01-01T00:00:00Z"', "2000-01-01"),
        ("timezone: true", "unknown key 'timezone'"),
        ("minimum: '2001-01-01'\n          maximum: '2000-01-01'", "no value is valid"),
    ],
)
def test_an_option_that_a_day_does_not_have_is_refused(tmp_path: Path, option: str, says: str) -> None:
    text = THINGS.replace("      - property: eventTime\n        value: at\n", "").replace(
        "logicalType: timestamp", "logicalType: date"
    )
    marker = "logicalTypeOptions:\n          minimum: '2001" if "2001" in option else option
    assert says in refusal_of(write_shop(tmp_path), 'minimum: "2000-01-01T00:00:00Z"', option, marker, text)


def test_an_event_time_is_a_moment(tmp_path: Path) -> None:
    text = THINGS.replace('minimum: "2000-01-01T00:00:00Z"', "minimum: 2000-01-01")
    message = refusal_of(write_shop(tmp_path), "logicalType: timestamp", "logicalType: date", "customProperties:", text)
    assert "at is a date" in message


@given(form=st.text("yMdHmsSX'/-. ", max_size=12))
def test_no_form_makes_the_reader_fail(form: str) -> None:
    try:
        pattern = date_pattern(form)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - it may fail, with a message
    else:
        assert {"year", "month", "day"} <= set(pattern.groupindex)
