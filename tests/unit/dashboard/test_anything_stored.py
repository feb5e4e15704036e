"""Every page shows anything that may be stored, or the store's error; none raises."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import data
from dashboard.parts import tables
from stream_app.counts.samples import CleanRecord
from stream_app.windows.zone import Zone
from tests.support.examples import examples
from tests.support.stored import NOON, SUMMARIES, Anything, StoredQueries

PAGES = ("overview", "quality", "anomalies", "clean_orders", "report", "pipeline")
SCRIPT = """
from dashboard.parts import frame, theme
from dashboard.screens import {name} as view
theme.apply()
frame.header("{name}")
view.page()
"""


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HEADRACE_KAFKA", "127.0.0.1:1")
    monkeypatch.setattr(data, "now_ms", lambda: NOON * 1000)
    monkeypatch.setattr(data, "broker", lambda _entities: "Kafka cannot be reached.")
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_anything_that_is_stored(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(examples(6)):
        monkeypatch.setattr(data, "zone", lambda seed=seed: Zone(["UTC", "America/New_York", "Asia/Kolkata"][seed % 3]))
        st.cache_resource.clear()
        keys = Anything(seed, texts=seed % 3 == 2).shop()
        monkeypatch.setattr(data, "_queries", lambda keys=keys: StoredQueries(keys))
        app = AppTest.from_string(SCRIPT.format(name=page), default_timeout=60)
        app.query_params["range"] = ["30d", "all", "24h", "15m", "2026-01-01T00:00_2026-05-01T00:00"][seed % 5]
        app.run()
        assert not app.exception, f"seed {seed}: {[one.message for one in app.exception]}"


def test_a_moment_that_is_stored_as_a_number_is_shown_as_none() -> None:
    field = next(one.name for one in SUMMARIES["orders"].fields if one.type == "timestamp")
    stored: tuple[Any, ...] = (1.5, 1_790_000_000_000, True, [], "2026-11-29T12:00:00Z", "2026-11-29T12:00:00.5Z", "soon", None)
    frame = tables.clean([CleanRecord(record={field: value}) for value in stored], SUMMARIES["orders"])

    assert [str(one)[:19] for one in frame[field].dropna()] == ["2026-11-29 12:00:00", "2026-11-29 12:00:00"]
    assert list(frame[field].notna()) == [isinstance(value, str) and value != "soon" for value in stored]
