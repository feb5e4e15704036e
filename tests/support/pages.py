"""Pages of the dashboard under Streamlit's own test runner: opened as scripts, read as text, tiles and tables."""

from __future__ import annotations

import re

import pandas as pd
from streamlit.testing.v1 import AppTest

#: Scripts as app.py makes them, without the navigation: AppTest cannot follow it.
SCRIPT = """
from dashboard.parts import frame, theme
from dashboard.screens import {name} as view
theme.apply()
frame.header("{name}")
view.page()
"""


def open_page(name: str, **query: str) -> AppTest:
    """A page as it opens, with these parameters in its address."""
    page = AppTest.from_string(SCRIPT.format(name=name), default_timeout=30)
    for key, value in query.items():
        page.query_params[key] = value
    page.run()
    assert not page.exception
    return page


def words(page: AppTest) -> str:
    """Everything that a page says."""
    shown = [one.value for one in [*page.markdown, *page.caption, *page.error, *page.warning, *page.header]]
    unescaped = [re.sub(r"\\([^A-Za-z0-9\s])", r"\1", one) for one in shown]
    return "\n".join([*unescaped, *(one.proto.body for one in page.get("html"))])


def tiles(page: AppTest) -> dict[str, str]:
    """Label → value."""
    return {tile.label: tile.value.replace("\\", "") for tile in page.metric}


def frames(page: AppTest) -> list[pd.DataFrame]:
    """The tables of a page."""
    return [table.value for table in page.dataframe]
