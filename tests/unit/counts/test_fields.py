"""Counter fields: what is written is parsed, sums are sums, and no other module spells a field."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.contract.segments import NONE, OTHER
from stream_app.counts import fields
from stream_app.counts.fields import Counts, SegmentCounts, add, capped, parse, split, totals

ROOT = Path(__file__).parents[3]
SOURCES = ("headrace", "producers", "stream_app", "reporter", "dashboard", "benchmarks", "scripts")
#: Modules that have not moved over to the writers yet.
MOVING = ("stream_app/monitor/", "stream_app/store/scripts.py")

#: The text that each field of a kind begins with.
PREFIXES = [write("") for write in (fields.finding, fields.value, fields.repair, fields.null, fields.unknown)]
PREFIXES.append(fields.segment("", "", "").partition("|")[0] + "|")

numbers = st.integers(-(2**53), 2**53)
rules = st.text("abc_.", max_size=6)
segment_fields = st.sampled_from(["country", "product_id.category"])
plain = st.sampled_from(list(fields.PLAIN))
segment_whats = st.sampled_from(list(fields.SEGMENT_PLAIN)) | rules.map(fields.finding)
names = (
    plain
    | st.text().map(fields.unknown)
    | st.builds(
        lambda write, name: write(name), st.sampled_from([fields.finding, fields.value, fields.repair, fields.null]), rules
    )
    | st.builds(fields.segment, segment_fields, segment_whats, st.text() | st.just("a|b|"))
)
hashes = st.dictionaries(names, numbers, max_size=12)


def written(counts: Counts) -> dict[str, int]:
    """The hash that counts were parsed from, without what counts nothing."""
    found: dict[str, int] = {field: getattr(counts, attribute) for field, attribute in fields.PLAIN.items()}
    for write, kept in (
        (fields.finding, counts.findings),
        (fields.value, counts.at_risk_minor),
        (fields.repair, counts.repairs),
        (fields.null, counts.nulls),
        (fields.unknown, counts.unknown),
    ):
        found |= {write(name): number for name, number in kept.items()}
    for field, values in counts.segments.items():
        for value, here in values.items():
            found |= {
                fields.segment(field, what, value): getattr(here, attribute) for what, attribute in fields.SEGMENT_PLAIN.items()
            }
            found |= {fields.segment(field, fields.finding(rule), value): number for rule, number in here.findings.items()}
    return {name: number for name, number in found.items() if number}


# --- written and parsed -----------------------------------------------------------------------------------------------


@given(hashes)
def test_what_is_written_is_parsed(raw: dict[str, int]) -> None:
    assert written(parse(raw)) == {name: number for name, number in raw.items() if number}


@given(hashes)
def test_redis_may_decode_or_not(raw: dict[str, int]) -> None:
    stored = {name: str(number) for name, number in raw.items()}
    assert parse({name.encode(): number.encode() for name, number in stored.items()}) == parse(stored) == parse(raw)


@given(st.lists(hashes, max_size=4))
def test_the_sum_of_counts_is_the_count_of_the_sum(parts: list[dict[str, int]]) -> None:
    merged: Counter[str] = Counter()
    for part in parts:
        merged.update(part)
    assert add(map(parse, parts)) == parse(merged)
    assert add(map(parse, parts), segments=False) == parse(merged, segments=False)


@given(hashes)
def test_totals_are_windows_without_segments(raw: dict[str, int]) -> None:
    assert parse(totals([raw, raw])) == add([parse(raw), parse(raw)], segments=False)


def test_a_segments_value_may_have_any_letter_in_it() -> None:
    raw = {"in": "2", "s|country|in|a|b|": "2", "s|country|f:name.required|a|b|": "1", "u:x|y": "1", "n:email": "3", "et": "9"}
    read = add([parse(raw), parse(raw)])

    assert read.segments == {"country": {"a|b|": SegmentCounts(received=4, findings={"name.required": 2})}}
    assert (read.unknown, read.nulls) == ({"x|y": 2}, {"email": 6})
    assert parse(raw, segments=False).segments == {}


def test_the_fields_of_stored_hashes_are_those_of_every_version() -> None:
    assert (fields.finding("a.type"), fields.value("a.type"), fields.repair("a.trim")) == ("f:a.type", "v:a.type", "r:a.trim")
    assert (fields.null("a"), fields.unknown("b c")) == ("n:a", "u:b c")
    assert fields.segment("country", fields.RECEIVED, NONE) == "s|country|in|(none)"
    assert fields.segment("country", fields.finding("a.type"), "France") == "s|country|f:a.type|France"


@pytest.mark.parametrize("field", ["in", "f:a.type", "s|country|in|France"])
@pytest.mark.parametrize("number", ["", "x", "1.5", None])
def test_a_counter_that_is_not_an_integer_is_named(field: str, number: object) -> None:
    with pytest.raises(ValueError, match=re.escape(field)):
        parse({field: number})


@given(st.dictionaries(st.text(), numbers))
def test_fields_of_another_program_do_no_harm(raw: dict[str, int]) -> None:
    parse(raw)


def test_times_and_counters_of_later_versions_are_left_out() -> None:
    raw = {fields.EVENT_TIME: "1", fields.APPLIED_AT: "2", "later": "soon", "s|country|later|France": "soon", "s|country": "x"}
    assert parse(raw) == Counts()


def test_a_field_says_what_it_counts() -> None:
    assert split(fields.finding("a.type")) == ("findings", "a.type", None)
    assert split(fields.unknown("")) == ("unknown", "", None)
    assert split(b"rev") == ("revenue_minor", None, None)
    assert split(fields.segment("country", fields.REJECTED, "a|b")) == ("rejected", None, ("country", "a|b"))
    assert split("et").attribute == ""


# --- the cap on segment values ----------------------------------------------------------------------------------------


@given(hashes)
def test_values_beyond_the_cap_are_counted_as_others(raw: dict[str, int]) -> None:
    found = capped(raw)
    assert len({(one.field, one.value) for one in found}) == len(found)
    beyond = {name: other for one in found for name, other in one.beyond.items()}
    assert {*beyond} == {name for name in raw if (of := split(name).segment) and of[1] != NONE}
    for name, other in beyond.items():
        before, after = split(name), split(other)
        assert (after.attribute, after.name) == (before.attribute, before.name)
        assert before.segment is not None
        assert after.segment == (before.segment[0], OTHER)


def test_records_without_a_value_are_never_counted_as_others() -> None:
    assert capped([fields.segment("country", fields.RECEIVED, NONE), fields.RECEIVED]) == []


# --- one home ---------------------------------------------------------------------------------------------------------


def spelled(text: str) -> list[str]:
    """The modules in which a string begins with this text, or, in Lua, a pattern does; once for each time."""
    begins = re.compile(rf"""["']\^?{re.escape(text)}""")
    files = [path for folder in SOURCES for kind in ("*.py", "*.lua") for path in (ROOT / folder).rglob(kind)]
    found = [str(path.relative_to(ROOT)) for path in files for _ in begins.findall(path.read_text("utf-8"))]
    return [path for path in found if not path.startswith(MOVING)]


@pytest.mark.parametrize("text", [*PREFIXES, f'{fields.REVENUE}"', NONE])
def test_no_other_module_spells_a_counter_field(text: str) -> None:
    assert spelled(text) == ["stream_app/contract/segments.py" if text == NONE else "stream_app/counts/fields.py"]
