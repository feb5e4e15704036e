"""Every page shows anything that may be stored, or the store's error; none raises."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import data
from tests.support.examples import examples
from tests.support.stored import NOON, Anything, StoredQueries

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
        st.cache_resource.clear()
        keys = Anything(seed, texts=seed % 3 == 2).shop()
        monkeypatch.setattr(data, "_queries", lambda keys=keys: StoredQueries(keys))
        app = AppTest.from_string(SCRIPT.format(name=page), default_timeout=60)
        app.query_params["range"] = ["24h", "all", "15m"][seed % 3]
        app.run()
        assert not app.exception, f"seed {seed}: {[one.message for one in app.exception]}"
