"""Tables on a page, some with rows that can be opened while the page refreshes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import pandas as pd
import streamlit as st

#: Height of a table's row in pixels.
ROW = 34
#: Rows that are visible at once; the others scroll.
ROWS = 8
TIME = "D MMM YYYY, HH:mm:ss"

T = TypeVar("T")


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


def chosen(key: str, rows: Sequence[T]) -> tuple[Sequence[T], T | None]:
    """Return the rows to show in the table ``key``, and the one that the viewer opened.

    A table knows its open row by index. While a row is open, the table keeps the rows that the viewer saw when opening it;
    new rows appear when it is closed.
    """
    frozen: Sequence[T] = st.session_state.get(f"{key}-rows", ())
    state: Any = st.session_state.get(key)
    picked = state["selection"]["rows"] if state else []
    if picked and picked[0] < len(frozen):
        return frozen, frozen[picked[0]]
    st.session_state[f"{key}-rows"] = rows
    return rows, None


def openable(frame: pd.DataFrame, key: str, columns: dict[str, Any], *, rows: int = ROWS, placeholder: str = "") -> None:
    """Draw a table with rows that can be opened (see ``chosen``)."""
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
    )


def height(number: int, most: int = ROWS) -> int:
    """Return the height in pixels of the head and ``number`` rows, at most ``most``."""
    return ROW * (min(number, most) + 1) + 3
