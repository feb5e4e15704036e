"""The entry script of ``streamlit run``: the gate, the pages and their frame."""

from __future__ import annotations

import gc
from pathlib import Path

import streamlit as st

from dashboard import data, gate
from dashboard.parts import causes, frame, theme
from dashboard.screens import anomalies, clean_orders, incident, overview, pipeline, quality, report
from dashboard.text import local

#: Pages without a time range.
UNRANGED = {"clean", "incident", "pipeline", "report"}
ICON = Path(__file__).with_name("icon.svg")


@st.cache_resource(show_spinner=False)
def _freeze() -> None:
    """Take what is loaded by now out of the sight of the garbage collector, once per process.

    Streamlit collects all garbage after each run, and would look through the modules of pandas and Altair each time.
    """
    gc.collect()
    gc.freeze()


def main() -> None:
    """Draw the page that the viewer chose."""
    st.set_page_config(page_title="Headrace", page_icon=str(ICON), layout="wide")
    local.use(data.zone())
    theme.apply()
    if not gate.passed():
        return
    pages = [
        st.Page(overview.page, title="Overview", url_path="overview", default=True, icon=":material/dashboard:"),
        st.Page(quality.page, title="Quality", url_path="quality", icon=":material/verified:"),
        st.Page(anomalies.page, title="Anomalies", url_path="anomalies", icon=":material/troubleshoot:"),
        st.Page(incident.page, title="Incident", url_path=causes.PAGE, icon=":material/emergency_home:", visibility="hidden"),
        st.Page(clean_orders.page, title="Clean orders", url_path="clean", icon=":material/task_alt:"),
        st.Page(report.page, title="Report", url_path="report", icon=":material/article:"),
        st.Page(pipeline.page, title="Pipeline", url_path="pipeline", icon=":material/conversion_path:"),
    ]
    page = st.navigation(pages, position="top")
    # The default page has no path of its own.
    st.session_state["pages"] = {one.url_path or "overview": one for one in pages}
    st.logo(str(ICON), size="medium")
    if name := data.settings().shop_name:
        # Otherwise the tab of the browser has the page's title alone.
        st.set_page_config(page_title=f"{page.title} · {name}")
    frame.header(page.title, ranged=page.url_path not in UNRANGED)
    page.run()
    _freeze()


main()
