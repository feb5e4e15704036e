"""Tables on a page, some with rows that can be opened while the page refreshes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pandas as pd
import streamlit as st

from dashboard.parts import address
from dashboard.text import local

#: Height of a table's row in pixels.
ROW = 34
#: Rows that are visible at once; the others scroll.
ROWS = 8
MINUTES = "D MMM YYYY, HH:mm"

T = TypeVar("T")


def moments(title: str | None = None, *, seconds: bool = True) -> Any:
    """Return a column of moments; its title names the zone whose clocks show them."""
    name = local.zone().name
    label = None if title is None else f"{title} ({name})"
    return st.column_config.DatetimeColumn(label, format=f"{MINUTES}:ss" if seconds else MINUTES, timezone=name)


def grid(frame: pd.DataFrame, key: str, columns: dict[str, Any], *, rows: int = ROWS, placeholder: str = "") -> None:
    """Draw a table."""
    st.dataframe(
        frame,
        key=key,
        hide_index=True,
        height=height(len(frame), rows),
        placeholder=placeholder,
        row_height=ROW,
        column_config=columns,
    )


def chosen(key: str, rows: Sequence[T], name: Callable[[T], str], param: str | None = "open") -> tuple[Sequence[T], T | None]:
    """Return the rows to show in the table ``key``, and the one that the viewer opened.

    A table knows its open row by index. While a row is open, the table keeps the rows that the viewer saw when opening it;
    new rows appear when it is closed. The parameter ``param`` of the address is the ``name`` of the open row; None: a row
    leads to another page, and this page's address says nothing of it.
    """
    frozen: Sequence[T] = st.session_state.get(f"{key}-rows", ())
    state: Any = st.session_state.get(key)
    if state is None:
        # The table begins: with the row open that the address names.
        wanted = address.one(param) if param else ""
        index = next((at for at, row in enumerate(rows) if wanted and name(row) == wanted), None)
        st.session_state[f"{key}-rows"], st.session_state[f"{key}-first"] = rows, index
        return rows, None if index is None else rows[index]
    picked = state["selection"]["rows"]
    if picked and picked[0] < len(frozen):
        opened = frozen[picked[0]]
        st.session_state[f"{key}-had"] = True
        if param:
            address.keep(param, name(opened))
            address.write()
        return frozen, opened
    if st.session_state.pop(f"{key}-had", False) and param:
        address.keep(param, None)
    st.session_state[f"{key}-rows"] = rows
    return rows, None


def openable(frame: pd.DataFrame, key: str, columns: dict[str, Any], *, rows: int = ROWS, placeholder: str = "") -> None:
    """Draw a table with rows that can be opened (see ``chosen``)."""
    first: int | None = st.session_state.get(f"{key}-first")
    st.dataframe(
        frame,
        key=key,
        hide_index=True,
        height=height(len(frame), rows),
        placeholder=placeholder,
        row_height=ROW,
        column_config=columns,
        on_select="rerun",
        selection_mode="single-row",
        selection_default=None if first is None else {"selection": {"rows": [first], "columns": [], "cells": []}},
    )


def height(number: int, most: int = ROWS) -> int:
    """Return the height in pixels of the head and ``number`` rows, at most ``most``."""
    return ROW * (min(number, most) + 1) + 3
