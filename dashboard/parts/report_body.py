"""A stored report on the page: every figure opens the fact that it comes from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dashboard.text import formats, markup
from dashboard.text.markup import Html
from stream_app.contract.money import minor_units
from stream_app.store.reports import StoredReport

#: A reference to a fact in a text: ``{{all.conformity}}``.
_REFERENCE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
#: Brackets and quotation signs before a figure, and punctuation after it, which must stay on its line.
_OPENS = re.compile(r"[(\[„“]+$")
_CLOSES = re.compile(r"[.,;:)\]!?”]+")

#: Confidence in a hypothesis, in words.
_CONFIDENCE = {"low": "weak evidence", "medium": "some evidence", "high": "strong evidence"}
#: Parts of an event after what happened, and their names.
_PARTS = {"money": "Money", "cause": "Possible cause", "action": "What to do", "owner": "Owner"}
#: Number of key figures that are shown first.
_FIRST_FIGURES = 5
#: Characters of a figure that stays on one line; a phone has no more in a line.
_LONG = 30
_TONES = {"good": "good", "bad": "bad"}


#: Units in words.
_UNITS = {
    "share": "as a share of 1",
    "points": "as a difference of shares",
    "relative": "as a share of the period before",
    "ratio": "times",
    "moment": "seconds since 1970, UTC",
    "length": "seconds",
}


def draw(report: StoredReport) -> None:
    """Draw the whole report. Parts that cannot be read are left out."""
    title = markup.tag("h2", markup.data(report.report.get("title", "Report")))
    markup.show(markup.join(title, markup.tag("p", period(report), cls="quiet"), _body(report)))


def _body(report: StoredReport) -> Html:
    plain = report.report
    return markup.tag(
        "article",
        markup.tag("div", _figured(_item(plain.get("headline")), report.facts), cls="headline"),
        _events(plain.get("events"), report.facts),
        _figures(_list(plain.get("figures"))[:_FIRST_FIGURES], report.facts),
        markup.tag(
            "details",
            markup.tag("summary", "Everything in detail"),
            *(_section(section, report.facts) for section in _list(plain.get("sections"))),
            _figures(_list(plain.get("figures"))[_FIRST_FIGURES:], report.facts),
            cls="fold",
        ),
        markup.tag("p", _about(report), cls="quiet"),
        cls="report",
    )


def draw_summary(report: StoredReport, most: int = 3) -> None:
    """Draw the headline and the first sentences of the summary."""
    sections = _list(report.report.get("sections"))
    items = next((_list(one.get("items")) for one in sections if one.get("key") == "summary"), [])
    markup.show(
        markup.tag(
            "div",
            markup.tag("div", _figured(_item(report.report.get("headline")), report.facts), cls="headline"),
            markup.tag("ul", *(markup.tag("li", _figured(one, report.facts)) for one in items[:most])),
            cls="report",
        )
    )


def period(report: StoredReport) -> str:
    """Return the period of a report."""
    covered = formats.span(report.start, report.end)
    return f"{covered}, provisional: not over when it was written" if report.provisional else covered


def _events(events: Any, facts: Mapping[str, Any]) -> Html | None:
    """Return what happened, each event with its money, cause, action and owner; None for a report without events."""
    items = []
    for event in _list(events):
        parts = [
            markup.join(markup.tag("dt", label), markup.tag("dd", _said(event[part], facts)))
            for part, label in _PARTS.items()
            if isinstance(event.get(part), Mapping)
        ]
        # Not a paragraph: a browser ends one before a figure, which can be opened.
        what = markup.tag("div", _figured(_item(event.get("what")), facts), cls="what")
        items.append(markup.tag("li", what, markup.tag("dl", *parts) if parts else None))
    return markup.tag("ol", *items, cls="events") if items else None


def _said(item: Mapping[str, Any], facts: Mapping[str, Any]) -> Html:
    """Return a text; before a hypothesis and an opinion of a model its name, and after it what it is based on."""
    label = None
    if item.get("hypothesis") or item.get("opinion"):
        confidence = _CONFIDENCE.get(str(item.get("confidence")), _CONFIDENCE["low"])
        name = "Opinion of the model" if item.get("opinion") else "Hypothesis"
        label = markup.join(markup.pill(f"{name}, {confidence}", "warning"), " ")
    rests = [_fact(one, facts) for one in _texts(item.get("rests_on"))]
    parted = [part for one in rests for part in (" · ", one)][1:]
    rest = markup.tag("span", "Based on: ", *parted, cls="quiet rests") if rests else None
    return markup.join(*(one for one in (label, _figured(item, facts), rest) if one is not None))


def _section(section: Mapping[str, Any], facts: Mapping[str, Any]) -> Html:
    items = [markup.tag("li", _said(item, facts)) for item in _list(section.get("items"))]
    listed = markup.tag("ol" if section.get("key") == "recommendations" else "ul", *items) if items else None
    return markup.tag(
        "section", markup.tag("h3", str(section.get("title", ""))), listed or markup.tag("p", "None.", cls="quiet")
    )


def _figures(rows: Any, facts: Mapping[str, Any]) -> Html | None:
    shown = [
        markup.tag(
            "tr",
            markup.tag("th", markup.data(row.get("label", ""))),
            markup.tag("td", _fact(str(row.get("id", "")), facts, str(row.get("now", "")))),
            markup.tag("td", markup.data(row.get("before", "")), cls="quiet"),
            markup.tag("td", markup.data(row.get("change", "")), cls=_TONES.get(str(row.get("tone")), "")),
        )
        for row in _list(rows)
    ]
    if not shown:
        return None
    names = ("Figure", "This period", "Previous period", "Change")
    head = markup.tag("thead", markup.tag("tr", *(markup.tag("th", name) for name in names)))
    return markup.tag("table", head, markup.tag("tbody", *shown), cls="figures")


def _figured(item: Mapping[str, Any], facts: Mapping[str, Any]) -> Html:
    source = str(item.get("source") or item.get("text") or "")
    parts: list[markup.Part] = []
    at = 0
    for found in _REFERENCE.finditer(source):
        fact = _fact(found[1], facts, "" if found[1] in facts else found[0])
        before, opening = _split(source[at : found.start()], _OPENS)
        closing = _CLOSES.match(source, found.end())
        at = closing.end() if closing else found.end()
        figure = (markup.data(opening), fact, markup.data(closing[0])) if closing else (markup.data(opening), fact)
        long = len(str(facts[found[1]].get("rendering", ""))) > _LONG if isinstance(facts.get(found[1]), Mapping) else False
        parts += [markup.data(before), markup.tag("span", *figure, cls="figure long" if long else "figure")]
    return markup.join(*parts, markup.data(source[at:]))


def _split(text: str, ending: re.Pattern[str]) -> tuple[str, str]:
    found = ending.search(text)
    return (text, "") if found is None else (text[: found.start()], found[0])


def _fact(fact_id: str, facts: Mapping[str, Any], shown: str = "") -> Html:
    """Return a figure that opens its fact; a reference to a missing fact is shown as it is."""
    fact = facts.get(fact_id)
    if not isinstance(fact, Mapping):
        return markup.data(shown or fact_id)
    text = str(shown or fact.get("rendering", ""))
    shown_facts: dict[str, markup.Part] = {"Fact": markup.data(fact.get("label", "")), "Text": markup.data(text)}
    # A name has no value but its text.
    if fact.get("unit") != "name":
        shown_facts["Value"] = markup.join(
            markup.data(_exact(fact.get("value", ""))), " ", markup.tag("span", _unit(fact), cls="quiet")
        )
    card = markup.facts({**shown_facts, "Id": markup.code(fact_id)})
    summary = markup.tag("summary", markup.data(text))
    # Of all elements with the same name, one is open at a time.
    return markup.tag("details", summary, markup.tag("div", card, cls="card"), cls="fact", name="fact")


def _exact(value: Any) -> Any:
    """Round off the digits that only binary fractions have."""
    return round(value, 6) if isinstance(value, float) else value


def _unit(fact: Mapping[str, Any]) -> str:
    """Return the unit of a fact's value."""
    unit = str(fact.get("unit", ""))
    kind, _, currency = unit.partition(":")
    if kind == "money":
        minor = minor_units(currency)
        part = {1: "", 100: "hundredths of ", 1_000: "thousandths of "}.get(minor, f"1/{minor:,} of ")
        return part + (currency or "the currency")
    return _UNITS.get(unit, f"{unit[1:]}, as a change" if unit.startswith("+") else unit)


def _about(report: StoredReport) -> str:
    """Return who wrote the report."""
    if report.written_by == "model":
        return f"Headrace wrote every statement; the model {report.model} chose them and added what is marked as its opinion."
    return "Written from a template, without a language model; every figure comes from Headrace's counts."


def _item(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {"text": "" if value is None else str(value)}


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []
