"""Tables on the page: whole rows, and rows that can be opened while everything else refreshes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import pandas as pd
import streamlit as st

#: Height of a table's row in pixels.
ROW = 34
#: Rows that show at once; the rest scrolls.
ROWS = 8
TIME = "D MMM YYYY, HH:mm:ss"

T = TypeVar("T")


def grid(frame: pd.DataFrame, key: str, columns: dict[str, Any], *, rows: int = ROWS, placeholder: str = "") -> None:
    """A table to look at."""
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
    """The rows to show in the table ``key``, and the one that the viewer opened.

    A table knows its open row by its place. So while one is open, the rows stay those that the viewer saw when opening
    it; new ones come when it is closed.
    """
    held: Sequence[T] = st.session_state.get(f"{key}-rows", ())
    state: Any = st.session_state.get(key)
    picked = state["selection"]["rows"] if state else []
    if picked and picked[0] < len(held):
        return held, held[picked[0]]
    st.session_state[f"{key}-rows"] = rows
    return rows, None


def openable(frame: pd.DataFrame, key: str, columns: dict[str, Any], *, rows: int = ROWS, placeholder: str = "") -> None:
    """A table of which one row can be opened; see ``chosen``."""
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
    """Room for the head and whole rows, at most ``most``."""
    return ROW * (min(number, most) + 1) + 3
