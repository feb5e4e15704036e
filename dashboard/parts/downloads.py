"""Downloads on a page that refreshes itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st


def offer_csv(label: str, rows: Sequence[object], name: str, write: Callable[[], bytes]) -> None:
    """Draw a button, with the key ``{name}-csv``, that downloads CSV in UTF-8; ``write`` is called if ``rows`` have changed."""
    made: tuple[Sequence[object], bytes] | None = st.session_state.get(f"made-{name}")
    if made is None or made[0] != rows:
        made = st.session_state[f"made-{name}"] = rows, write()
    offer(
        label,
        made[1],
        f"{name}.csv",
        "text/csv",
        key=f"{name}-csv",
        tooltip="CSV in UTF-8. Cells are escaped, so that a spreadsheet runs none as a formula.",
    )


def offer(label: str, content: bytes, file: str, mime: str, *, key: str, tooltip: str | None = None) -> None:
    """Draw a button that downloads ``content`` as ``file``; without content it is disabled.

    Streamlit deletes a file soon after a refresh has replaced it, even if a viewer has just clicked. A second, invisible button
    keeps the file of the previous refresh. (A file that Streamlit creates on the click has the same gap, and is also deleted by
    a refresh that does not change it.)
    """
    offered = content, file
    current, before = st.session_state.get(f"offered-{key}", (offered, offered))
    if current != offered:
        current, before = offered, current
    st.session_state[f"offered-{key}"] = current, before
    st.download_button(
        label,
        content,
        file_name=file,
        mime=mime,
        icon=":material/download:",
        on_click="ignore",
        key=key,
        help=tooltip,
        disabled=not content,
    )
    with st.container(key=f"before-{key}"):
        st.download_button("Before", before[0], file_name=before[1], mime=mime, on_click="ignore", key=f"offered-before-{key}")
