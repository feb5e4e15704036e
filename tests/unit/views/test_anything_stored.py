"""Nothing that is stored, by any version or program, crashes a reader: it is shown, or a StoreError says what to do."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from headrace.cli.status_table import table
from reporter import render, template
from reporter.compute import compute
from reporter.material import read_material
from reporter.periods import SHORT_LENGTHS, complete, suggested, up_to
from reporter.report import report_of
from reporter.texts import texts as texts_of
from stream_app.errors import StoreError
from stream_app.store.queries import Queries
from stream_app.views.overview import read_overview, suggested_range
from stream_app.views.pulse import read_pulse, read_status
from stream_app.views.quality import read_quality
from stream_app.views.ranges import Custom, TimeRange
from stream_app.windows.as_of import is_shown
from stream_app.windows.grain import Grain
from tests.support.examples import examples
from tests.support.stored import KEYS, NOON, Anything, StoredQueries

RANGES = [*TimeRange, Custom(NOON - 3_600, NOON), Custom(0, 60), Custom(253_370_764_740, 253_370_764_800)]


def queries(keys: dict[str, Any]) -> Queries:
    return StoredQueries(keys)


def status(read: Queries) -> None:
    found = read_status(read)
    json.dumps(found)
    Console(file=StringIO(), width=200).print(table(found, datetime.fromtimestamp(NOON, UTC)))


def reports(read: Queries) -> None:
    stream_ms = read_pulse(read).stream_ms
    if stream_ms is None:
        return
    assert is_shown(stream_ms)
    suggested(read.began(), stream_ms)
    complete(stream_ms, 3_600, 300)
    for language in ("en", "de"):
        words = texts_of(language)
        facts = compute(read_material(read, up_to(stream_ms, SHORT_LENGTHS[3])), words)
        body = report_of(template.write(facts, words), facts, words, written_by="template", model=None, prompt="v1")
        render.markdown(body, facts, words)
        render.html(body, facts, words)


READERS: dict[str, Callable[[Queries], Any]] = {
    "overview": lambda read: [read_overview(read, chosen) for chosen in RANGES],
    "quality": lambda read: [(view := read_quality(read, chosen)).kpis() and view.kpis("orders") for chosen in RANGES],
    "suggested range": suggested_range,
    "status": status,
    "lists": lambda read: (read.findings(), read.clean("orders"), read.incidents(), read.incidents(since=0, until=NOON)),
    "reports": lambda read: (read.reports(), read.report("r"), read.report_counters()),
    "a report": reports,
}


@pytest.mark.parametrize("reader", READERS)
@given(st.integers(0, 2**32), st.booleans())
@settings(deadline=None, max_examples=examples(60))
def test_anything_stored_can_be_read_or_is_refused(reader: str, seed: int, texts: bool) -> None:
    """``texts``: values need not be numbers; such a store may be refused, with what to do."""
    keys = Anything(seed, texts=texts).shop()
    if not texts:
        READERS[reader](queries(keys))
        return
    with contextlib.suppress(StoreError):
        READERS[reader](queries(keys))


@given(st.text(max_size=40))
def test_an_address_with_any_range_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert Custom.parse(text).value


def test_a_range_with_late_records_is_restated() -> None:
    keys = Anything(0, texts=False).shop()
    for key in [key for key in keys if ":win:" in key or ":wins:" in key or ":total:" in key]:
        del keys[key]
    start = str(NOON - 3_600)
    keys[KEYS.total("orders")] = {"in": "9", "clean": "9", "late": "4", "et": str(NOON * 1000)}
    keys[KEYS.windows("orders", Grain.HOUR)] = [start]
    keys[f"{KEYS.window_stem('orders', Grain.HOUR)}{start}"] = {"in": "9", "clean": "9", "late": "3"}
    assert read_overview(queries(keys), TimeRange.LAST_DAY).late == 3
    assert read_overview(queries(keys), TimeRange.ALL).late == 4
    assert read_quality(queries(keys), TimeRange.LAST_DAY).late == 3
    assert read_status(queries(keys))["entities"]["orders"]["late"] == 4
