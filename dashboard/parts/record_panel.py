"""What opens under a finding: the dead-letter record with the reasons beside its fields, read from Kafka."""

from __future__ import annotations

import streamlit as st

from dashboard import data
from dashboard.text import formats, markup
from dashboard.text.words import sentence
from stream_app.contract.summary import ContractSummary
from stream_app.counts.samples import RecentFinding
from stream_app.errors import HeadraceError
from stream_app.kafka.search import find
from stream_app.views.record import Content, Opened, Reason, Row, opened

#: Seconds that a record once read serves all viewers; records do not change.
SHARED_FOR = 300

_SAYS = {
    "dead letter": ("Dead letter", "rejected", "error", "It was rejected: no subscriber of clean records sees it."),
    "clean": ("Clean, with marks", "marked", "warning", "It went on to the clean topic, and carries the warning in a header."),
    "raw": (
        "Raw record",
        "outcome unknown",
        "",
        "What became of it is not among the records searched, so this is the record as it came in, without its reasons.",
    ),
}


@st.cache_resource(ttl=SHARED_FOR, max_entries=200, show_spinner=False)
def _find(entity: str, source: str, contract: ContractSummary) -> Opened:
    return opened(find(data.settings(), entity, source), contract)


@st.cache_resource(ttl=10, max_entries=200, show_spinner=False)
def _try(entity: str, source: str, _contract: ContractSummary) -> Opened | str:
    """A problem is asked about again soon, a record is not."""
    try:
        return _find(entity, source, _contract)
    except HeadraceError as error:
        return str(error)


def record_panel(finding: RecentFinding, contract: ContractSummary | None) -> None:
    """Draw it."""
    with st.container(key="panel-record"):
        if contract is None:
            markup.show(markup.tag("p", "No contract in force describes this entity any more, so its fields cannot be masked."))
            return
        with st.spinner("Reading the record from Kafka", show_time=False):
            opened = _try(finding.entity, finding.source, contract)
        if isinstance(opened, str):
            head = markup.tag("h3", "The record of ", markup.code(finding.source))
            markup.show(markup.join(head, markup.tag("p", markup.data(sentence(opened)), cls="problem")))
            return
        _record(finding, opened)


def _record(finding: RecentFinding, opened: Opened) -> None:
    name, label, tone, meaning = _SAYS[opened.outcome]
    content = opened.content
    found_at = f"{opened.topic}:{opened.partition}:{opened.offset}"
    said: dict[str, markup.Part] = {
        "Raw record": markup.code(finding.source),
        "Found at": markup.code(found_at),
        "Kafka time": formats.moment(opened.timestamp),
        "Contract": markup.code(opened.contract or "not named"),
        "Size": f"{content.bytes:,} bytes",
    }
    if opened.attempts and opened.attempts != "1":
        said["Judged"] = markup.data(f"{opened.attempts} times")
    if opened.others:
        said["Other headers"] = markup.join(*(markup.join(markup.code(one), " ") for one in opened.others))
    markup.show(
        markup.join(
            markup.tag("h3", name, " ", markup.pill(label, tone)),
            markup.tag("p", meaning, cls="quiet"),
            markup.tag("div", _content(content), markup.facts(said), cls="record"),
        )
    )


def _content(content: Content) -> markup.Html:
    whole = _reasons(content.whole)
    if content.raw is not None:
        shape = (
            "No JSON object. The contract has personal fields, so letters are shown as x and digits as 0."
            if content.shape
            else "No JSON object. The bytes as text; what is no UTF-8 is escaped."
        )
        body = markup.tag("pre", content.raw or "(no bytes)", cls="raw")
        return markup.tag("div", whole, markup.tag("p", shape, cls="quiet"), body)
    rows = [_row(row) for row in content.rows]
    return markup.tag("div", whole, markup.tag("table", markup.tag("tbody", *rows), cls="fields"))


def _row(row: Row) -> markup.Html:
    if row.shown is None:
        shown: markup.Html = markup.tag("span", "not there", cls="quiet")
    elif row.masked:
        shown = markup.tag("span", row.shown, cls="masked")
    else:
        shown = markup.data(row.shown)
    return markup.tag(
        "tr",
        markup.tag("th", markup.code(row.name)),
        markup.tag("td", shown),
        markup.tag("td", _reasons(row.reasons)),
        cls="found" if row.reasons else "",
    )


def _reasons(found: tuple[Reason, ...]) -> markup.Html:
    return markup.join(
        *(
            markup.tag(
                "p",
                markup.pill(one.severity, one.severity if one.severity in {"error", "warning", "info"} else ""),
                " ",
                markup.data(one.message),
                " ",
                markup.tag("span", markup.code(one.rule), cls="quiet"),
                cls="reason",
            )
            for one in found
        )
    )
