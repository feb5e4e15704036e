"""A report as Markdown and as HTML that prints well. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import jinja2
from markupsafe import Markup, escape
from msgspec import UNSET

from reporter.draft import REFERENCE
from reporter.facts import Facts
from reporter.report import FIRST_FIGURES, Item, KeyFigure, Report
from reporter.texts import Texts

_MARKDOWN = re.compile(r"([\\`*_\[\]<>#|~&])")


def markdown(report: Report, facts: Facts, texts: Texts) -> str:
    """Render a report as Markdown; everything from facts or a model is escaped."""
    lines = [f"# {markdown_text(report.title)}", "", f"{markdown_text(_period(facts, texts))}", ""]
    lines += [f"**{markdown_text(report.headline.text)}**", ""]
    lines += [f"## {markdown_text(texts('sections', 'events'))}", "", *_md_events(report, facts, texts), ""]
    lines += _md_figures(texts("sections", "figures"), report.figures[:FIRST_FIGURES], facts, texts)
    lines += [f"## {markdown_text(texts('sections', 'details'))}", ""]
    for section in report.sections:
        lines += [f"### {markdown_text(section.title)}", ""]
        lines += [f"- {_md_item(item, facts, texts)}" for item in section.items]
        if not section.items:
            lines.append(f"- {markdown_text(texts('template', 'hypothesis_none'))}")
        lines.append("")
    lines += _md_figures(texts("sections", "more"), report.figures[FIRST_FIGURES:], facts, texts, level=3)
    lines += ["---", "", f"*{markdown_text(about(report, texts))}*", ""]
    return "\n".join(lines)


#: Parts of an event after what happened, with their names in the texts.
PARTS = ("money", "cause", "action", "owner")


def _md_events(report: Report, facts: Facts, texts: Texts) -> list[str]:
    lines: list[str] = []
    for number, event in enumerate(report.events, 1):
        lines.append(f"{number}. **{markdown_text(event.what.text)}**")
        for part in PARTS:
            item: Item | None = getattr(event, part)
            if item is not None:
                label = texts("notes", "pair", label=texts("events", part), value="").rstrip()
                lines.append(f"   - {markdown_text(label)} {_md_item(item, facts, texts)}")
    return lines or [markdown_text(texts("template", "anomaly_none"))]


def _md_figures(title: str, figures: Sequence[KeyFigure], facts: Facts, texts: Texts, level: int = 2) -> list[str]:
    if not figures:
        return []
    compared = facts.compared
    head = ["", texts("notes", "now"), *([texts("notes", "before"), texts("notes", "change")] if compared else [])]
    lines = [f"{'#' * level} {markdown_text(title)}", "", f"| {' | '.join(map(markdown_text, head))} |"]
    lines.append("|---" + "|--:" * (len(head) - 1) + "|")
    for row in figures:
        cells = [row.label, row.now, *([row.before, row.change] if compared else [])]
        lines.append(f"| {' | '.join(markdown_text(cell or texts('notes', 'none')) for cell in cells)} |")
    return [*lines, ""]


def _md_item(item: Item, facts: Facts, texts: Texts) -> str:
    text = markdown_text(item.text)
    if item.confidence is UNSET:
        return text
    name = f"{mark(item, texts)} ({texts('notes', 'confidence', item.confidence)})"
    label = texts("notes", "pair", label=name, value="").rstrip()
    return f"*{markdown_text(label)}* {text} *({markdown_text(_basis(item, facts, texts))})*"


def mark(item: Item, texts: Texts) -> str:
    """Return what stands before a hypothesis or an opinion."""
    if item.opinion:
        return texts("notes", "opinion")
    return texts("notes", "hypothesis")


def _basis(item: Item, facts: Facts, texts: Texts) -> str:
    """Return the facts that a hypothesis is based on; names only if it has no figures."""
    ids = [] if item.rests_on is UNSET else item.rests_on
    figures = [
        texts("notes", "pair", label=facts.all[one].label, value=facts.rendering(one))
        for one in ids
        if facts.all[one].unit != "name"
    ]
    names = [facts.rendering(one) for one in ids if facts.all[one].unit == "name"]
    return texts("notes", "rests", facts=texts("notes", "joint").join(figures or names))


def _period(facts: Facts, texts: Texts) -> str:
    period = texts("notes", "period", start=facts.rendering("period.start"), end=facts.rendering("period.end"))
    if not facts.compared:
        return f"{period}. {texts('notes', 'uncompared')}"
    return f"{period}, {texts('notes', 'compared', start=facts.rendering('previous.start'))}."


def about(report: Report, texts: Texts) -> str:
    """Return a line about who wrote the report."""
    if report.written_by == "model":
        return f"{texts('notes', 'model', model=report.model)} {texts('notes', 'prompt', version=report.prompt)}."
    return texts("notes", "template")


def markdown_text(text: str) -> str:
    """Escape everything in a text that Markdown would read as markup."""
    return _MARKDOWN.sub(r"\\\1", text)


def html(report: Report, facts: Facts, texts: Texts) -> str:
    """Render a report as one page without scripts; every text is escaped, and every figure has its fact as a tooltip."""

    def with_tooltips(source: str) -> Markup:
        parts, at = [], 0
        for found in REFERENCE.finditer(source):
            fact = facts.all[found[1]]
            tag = "b" if fact.unit != "name" else "span"
            tooltip = f"{fact.label} [{fact.id}]"
            parts += [escape(source[at : found.start()])]
            parts += [Markup('<{0} class="fact" title="{1}">{2}</{0}>').format(Markup(tag), tooltip, fact.rendering)]  # noqa: S704
            at = found.end()
        return Markup("").join([*parts, escape(source[at:])])

    return _page().render(
        report=report,
        language=texts.language,
        period=_period(facts, texts),
        about=about(report, texts),
        with_tooltips=with_tooltips,
        mark=lambda item: mark(item, texts),
        basis=lambda item: _basis(item, facts, texts),
        compared=facts.compared,
        notes=texts.all["notes"],
        sections=texts.all["sections"],
        first=FIRST_FIGURES,
        parts=[(part, texts("events", part)) for part in PARTS],
        calm=texts("template", "anomaly_none"),
        empty=texts("template", "hypothesis_none"),
    )


@cache
def _page() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(files("reporter").joinpath("templates/report.html").read_text("utf-8"))
