"""A value of a segment that no contract lists leaves its record as a number: a shifted column may have put a name there."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.parts import csv_files
from dashboard.text import incidents
from stream_app.contract import load_shop
from stream_app.contract.segments import NONE, SegmentNames, is_number, listed_segments
from stream_app.contract.summary import describe
from stream_app.counts.fields import parse
from stream_app.counts.tally import Tally
from stream_app.counts.window import Window
from stream_app.judge import Judge
from stream_app.judge.related import updates
from stream_app.monitor import Change, Monitor, Tuning, headline, wording
from stream_app.views.breakdown import by_segment
from stream_app.views.record import content
from stream_app.windows.grain import Grain
from tests.support.incidents import incident
from tests.support.paths import ROOT
from tests.support.records import AS_OF, GOOD, encoded, judge_of, shop

NAME = "Zebulon Quackenbush"
CATEGORIES = ("Books", "Toys", "Garden", "Gifts")
#: Shop, entity, and a segment field of it: an unlisted value is rejected in the first, and a warning in the others.
FIELDS = [("built-in", "customers", "country"), ("built-in", "products", "category"), ("online-retail", "orders", "country")]


def written(tally: Tally) -> str:
    """Return everything that a batch sends to the store of its counts and samples."""
    return repr(
        (tally.minutes, tally.samples.encoded_findings(1), tally.samples.encoded_clean(), tally.samples.found.encoded(1))
    )


@pytest.mark.parametrize(("name", "entity", "field"), FIELDS)
@pytest.mark.parametrize("at_once", [True, False])
@settings(max_examples=30, deadline=None)
@given(
    values=st.lists(st.sampled_from([NAME, "Ada Lovelace", "#0123456789", "(none)", None, "France"]), min_size=1, max_size=8)
)
def test_counts_and_samples_hold_numbers_for_names(
    name: str, entity: str, field: str, at_once: bool, values: list[str | None]
) -> None:
    contract = shop(name).contracts[entity]
    rows: list[bytes | None] = [encoded(GOOD[name, entity] | {field: value}) for value in values]
    tally = Tally(contract)
    if at_once:
        tally.add_all(Judge(contract).judge_all(rows, [AS_OF] * len(rows)), [], lambda index: f"{entity}:0:{index}")
    else:
        for raw in rows:
            verdict = Judge(contract).judge(raw, AS_OF)
            tally.add(verdict, "rejected" if verdict.rejected else "clean", f"{entity}:0:0")

    text = written(tally)
    assert not [one for one in (NAME, "Ada Lovelace", "#0123456789") if one in text]
    found: Counter[str] = Counter()
    for window in tally.minutes.values():
        found.update({value: one.received for value, one in parse(window).segments[field].items()})
    names = SegmentNames(contract.listed)
    assert found == Counter(NONE if value is None else names.text(field, value) for value in values), "each has its own count"
    assert len(found) == len(set(values))


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_number_is_that_of_the_value(one: str, other: str) -> None:
    names = SegmentNames({"country": ["France"], "customer_id.country": ["France"]})
    assert is_number(text := names.text("country", one)) == (one != "France")
    assert names.text("customer_id.country", one) == text or is_number(one), "the same for orders as for their customers"
    assert names.text("customer_id.country", text) == text, "the store knows it by its number"
    assert (names.text("country", other) == text) == (one == other)


def test_what_is_kept_of_a_referenced_record_is_not_its_name() -> None:
    verdicts = judge_of("built-in", "products").judge_all([encoded(GOOD["built-in", "products"] | {"category": NAME})], [AS_OF])
    known, _ = updates(shop("built-in").contracts["products"], ("unit_price", "category"), verdicts, (), {}, [True])
    [one] = known.values()
    assert NAME not in one.to_json()
    assert one.values["unit_price"] == GOOD["built-in", "products"]["unit_price"], "deviations compare it"


def test_orders_know_the_values_that_the_customers_contract_lists() -> None:
    orders = shop("built-in").contracts["orders"]
    assert "United Kingdom" in orders.listed["customer_id.country"]
    assert "Toys" in orders.listed["product_id.category"]
    assert orders.listed == listed_segments(orders, shop("built-in").contracts)
    tally = Tally(orders)
    tally.add(judge_of("built-in", "orders").judge(encoded(GOOD["built-in", "orders"]), AS_OF), "clean", "orders:0:0",
              segments={"customer_id.country": NAME, "product_id.category": "Toys"})  # fmt: skip
    assert NAME not in written(tally), "a store that an older version wrote has it"
    assert "|Toys" in written(tally)


def test_formats_with_a_list_roles_and_booleans_list_their_values() -> None:
    contract = shop("built-in").contracts["customers"]
    field = contract.field("country")
    of = replace(contract, values=(), fields=(replace(field, options={"format": "country-name"}, spellings={"uk": "Albion"}),))
    assert {"Bolivia", "Albion"} <= listed_segments(of, {})["country"]
    of = replace(of, fields=(replace(field, type="boolean", options={}, spellings={}),))
    assert SegmentNames(listed_segments(of, {})).text("country", value=True) == "True"


def test_the_page_of_a_record_masks_it() -> None:
    contract = describe(shop("built-in").contracts["customers"])
    shown = content(encoded(GOOD["built-in", "customers"] | {"country": NAME}), contract, [])
    assert NAME not in repr(shown)
    shown = content(encoded(GOOD["built-in", "customers"] | {"country": "France"}), contract, [])
    assert "France" in repr(shown)
    broken = content(f'{{"category": "{NAME}"'.encode(), describe(shop("built-in").contracts["products"]), [])
    assert "Quackenbush" not in repr(broken)


def test_incidents_say_the_number_of_what() -> None:
    number = SegmentNames({}).text("country", NAME)
    gone = incident(0, metric="mix:customer_id.country", segment=("customer_id.country", number, 0.0, 0.2))
    assert f"from country {number}" in headline.what(gone)
    assert f"customer_id.country is {number}" in wording.body(Change("opened", gone))


def test_one_function_makes_the_text_of_a_segment() -> None:
    """No other module makes one, and counters of segments are only made of what it returned."""
    makes = re.compile(r"\bSegmentText\(|segment_value|[^.]\bsegment\(")
    found = {
        str(path.relative_to(ROOT)): [*map(str.strip, filter(makes.search, path.read_text("utf-8").splitlines()))]
        for folder in ("stream_app/contract", "stream_app/counts", "stream_app/worker", "stream_app/judge")
        for path in (ROOT / folder).rglob("*.py")
    }
    used: dict[str, Any] = {path: lines for path, lines in found.items() if lines and path != "stream_app/contract/segments.py"}
    assert set(used) == {"stream_app/counts/fields.py", "stream_app/counts/tally.py"}
    assert all(line.endswith(("text)] += count", "text)] += 1", "NONE)] -= 1")) or ", text)]" in line
               for line in used["stream_app/counts/tally.py"])  # fmt: skip


def test_both_shops_name_their_markets() -> None:
    assert "United Kingdom" in load_shop(None).contracts["customers"].listed["country"]
    assert {"EIRE", "Unspecified"} <= shop("online-retail").contracts["orders"].listed["country"]


def test_a_shifted_column_is_an_incident_about_a_number() -> None:
    """From the records to the topic, to people, to the pages' files and to the report."""
    contract = shop("built-in").contracts["products"]

    def hour(start: int, shifted: int) -> Window:
        rows = [GOOD["built-in", "products"] | {"product_id": n, "category": CATEGORIES[n % 4]} for n in range(300)]
        rows += [GOOD["built-in", "products"] | {"product_id": n, "category": NAME} for n in range(shifted)]
        tally = Tally(contract)
        tally.add_all(Judge(contract).judge_all([*map(encoded, rows)], [AS_OF] * len(rows)), [], lambda n: f"products:0:{n}")
        [counted] = tally.minutes.values()
        return Window(start, parse(counted))

    usual, odd = hour(0, 0), hour(0, 200)
    monitor, state, changes = Monitor(contract, Grain.HOUR, Tuning()), None, list[Change]()
    for number in range(200):
        window = replace(odd if number >= 190 else usual, start=number * 3_600)
        state, found = monitor.step(state, window)
        changes += found
    about = [change for change in changes if change.incident.segment is not None]
    assert {change.incident.segment[1] for change in about if change.incident.segment} == {
        SegmentNames({}).text("category", NAME)
    }
    described = {"products": describe(contract)}
    said: list[object] = [state, described]
    for change in changes:
        said += [change.to_json(), change.incident.to_json(), wording.title(change), wording.body(change)]
        said += [
            headline.headline(change.incident),
            csv_files.incidents_csv([change.incident], None),
            incidents.segment(change.incident),
        ]
    said += by_segment(described, {"products": odd.counts})
    assert NAME not in repr(said)
    assert "Quackenbush" not in repr(said)
