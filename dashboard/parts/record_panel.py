"""The panel under a finding: the record as it stands in Kafka, with the findings beside its fields."""

from __future__ import annotations

import streamlit as st

from dashboard import data
from dashboard.text import formats, markup
from dashboard.text.words import sentence
from stream_app.contract.summary import ContractSummary
from stream_app.counts.samples import RecentFinding
from stream_app.judge.verdict import Finding
from stream_app.views.record import Content, Opened, Row

#: Outcome → title, label, tone and meaning.
_OUTCOMES = {
    "dead letter": ("Dead letter", "rejected", "error", "The record was rejected: subscribers of clean records do not see it."),
    "clean": ("Clean, with a warning", "warning", "warning", "The record is in the clean topic; a header carries the warning."),
    "raw": (
        "Raw record",
        "outcome unknown",
        "",
        "Its outcome is not among the records that were searched, so this is the record as it came in, without its findings.",
    ),
}


def record_panel(finding: RecentFinding, contract: ContractSummary | None) -> None:
    """Draw the panel."""
    with st.container(key="panel-record"):
        if contract is None:
            markup.show(markup.tag("p", "No contract in force describes this entity, so its personal fields cannot be masked."))
            return
        with st.spinner("Reading the record from Kafka", show_time=False):
            opened = data.record(finding.entity, finding.source, contract)
        if isinstance(opened, str):
            head = markup.tag("h3", "The record of ", markup.code(finding.source))
            markup.show(markup.join(head, markup.tag("p", markup.data(sentence(opened)), cls="problem")))
            return
        _record(finding, opened)


def _record(finding: RecentFinding, opened: Opened) -> None:
    title, label, tone, meaning = _OUTCOMES[opened.outcome]
    facts: dict[str, markup.Part] = {
        "Raw record": markup.code(finding.source),
        "Found at": markup.code(f"{opened.topic}:{opened.partition}:{opened.offset}"),
        "Kafka time": formats.moment(opened.timestamp),
        "Contract": markup.code(opened.contract or "not named"),
        "Size": f"{opened.content.bytes:,} bytes",
        "Judged": markup.data(f"{opened.attempts} times") if opened.attempts and opened.attempts != "1" else None,
        "Other headers": markup.join(*(markup.join(markup.code(one), " ") for one in opened.others)) if opened.others else None,
    }
    markup.show(
        markup.join(
            markup.tag("h3", title, " ", markup.pill(label, tone)),
            markup.tag("p", meaning, cls="quiet"),
            markup.tag("div", content_html(opened.content), markup.facts(facts), cls="record"),
        )
    )


def content_html(content: Content) -> markup.Html:
    """Return a record's value as markup: a row for each field, or the raw text."""
    whole_record = _findings(content.whole_record)
    if content.raw is not None:
        meaning = (
            "Not a JSON object. The contract has personal fields or segments, so letters are shown as x and digits as 0."
            if content.shape
            else "Not a JSON object, shown as text; bytes that are not UTF-8 are escaped."
        )
        body = markup.tag("pre", content.raw or "(no bytes)", cls="raw")
        return markup.tag("div", whole_record, markup.tag("p", meaning, cls="quiet"), body)
    rows = [_row(row) for row in content.rows]
    return markup.tag("div", whole_record, markup.tag("table", markup.tag("tbody", *rows), cls="fields"))


def _row(row: Row) -> markup.Html:
    if row.shown is None:
        shown: markup.Html = markup.tag("span", "missing", cls="quiet")
    elif row.masked:
        shown = markup.tag("span", row.shown, cls="masked")
    else:
        shown = markup.data(row.shown)
    return markup.tag(
        "tr",
        markup.tag("th", markup.code(row.name)),
        markup.tag("td", shown),
        markup.tag("td", _findings(row.findings)),
        cls="found" if row.findings else "",
    )


def _findings(found: tuple[Finding, ...]) -> markup.Html:
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
