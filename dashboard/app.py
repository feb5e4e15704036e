"""What ``streamlit run`` starts: the pages and their frame."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard.views import overview

ICON = Path(__file__).with_name("icon.svg")


def main() -> None:
    """Draw the page that the viewer chose."""
    st.set_page_config(page_title="Headrace", page_icon=str(ICON), layout="wide")
    pages = [st.Page(overview.page, title="Overview", url_path="overview", default=True)]
    st.navigation(pages, position="hidden").run()


main()
