"""A draft and its facts become the report to read: rendered sections, Markdown, and HTML that prints well. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import jinja2
from markupsafe import Markup, escape

from reporter.draft import REFERENCE, Draft
from reporter.facts import Fact, Facts
from reporter.formats import MINUS
from reporter.texts import Texts

#: Key figures, in this order, where they are facts.
KEY_FIGURES = (
    "all.records", "all.conformity", "all.score", "all.findings", "all.rejected", "all.at_risk",
    "sales.revenue", "sales.orders", "sales.customers", "sales.average",
)  # fmt: skip
SECTIONS: tuple[Literal["summary", "anomalies", "hypotheses", "impact", "recommendations"], ...] = (
    "summary", "anomalies", "hypotheses", "impact", "recommendations",
)  # fmt: skip

_MARKDOWN = re.compile(r"([\\`*_\[\]<>#|~&])")


def sections(draft: Draft, facts: Facts, texts: Texts, *, written_by: str, model: str | None, prompt: str) -> dict[str, Any]:
    """The report as it is stored: rendered texts, beside each its source with references.

    Raises:
        KeyError: the draft refers to what is no fact; the gate lets no such draft through.
    """
    body: list[dict[str, Any]] = []
    for key in SECTIONS:
        items = []
        for item in getattr(draft, key):
            source = item if isinstance(item, str) else item.text
            row: dict[str, Any] = {"text": plain(source, facts), "source": source, "hypothesis": False}
            if not isinstance(item, str):
                row |= {"hypothesis": True, "confidence": item.confidence, "rests_on": list(item.rests_on)}
            items.append(row)
        body.append({"key": key, "title": texts("sections", key), "items": items})
    return {
        "title": texts("sections", "title"),
        "headline": {"text": plain(draft.headline, facts), "source": draft.headline},
        "sections": body,
        "figures": _figures(facts),
        "written_by": written_by,
        "model": model,
        "prompt": prompt,
        "language": texts.language,
    }


def plain(text: str, facts: Facts) -> str:
    """A text with its references rendered."""
    return REFERENCE.sub(lambda found: facts.rendering(found[1]), text)


def _figures(facts: Facts) -> list[dict[str, str]]:
    rows = []
    for fact_id in [*KEY_FIGURES, *(one for one in facts.all if one.startswith("dimension.") and one.count(".") == 1)]:
        fact = facts.all.get(fact_id)
        if fact is None:
            continue
        before, change = facts.all.get(f"{fact_id}.previous"), facts.all.get(f"{fact_id}.change")
        rows.append(
            {
                "id": fact_id,
                "label": fact.label,
                "now": fact.rendering,
                "before": before.rendering if before else "",
                "change": change.rendering if change else "",
                # Revenue that an incident makes doubtful is no good news.
                "tone": "" if facts.doubts and fact_id.startswith("sales.") else _tone(change),
            }
        )
    return rows


def _tone(change: Fact | None) -> str:
    """``good``, ``bad`` or nothing, by what is better and which way it went."""
    if change is None or not change.better or isinstance(change.value, str) or not change.rendering.startswith(("+", MINUS)):
        return ""
    return "good" if (change.value > 0) == (change.better == "higher") else "bad"


def markdown(report: Mapping[str, Any], facts: Facts, texts: Texts) -> str:
    """The report as Markdown; what came from facts or a model is escaped."""
    lines = [f"# {markdown_text(report['title'])}", "", f"{markdown_text(_period(facts, texts))}", ""]
    lines += [f"**{markdown_text(report['headline']['text'])}**", ""]
    for section in report["sections"]:
        lines += [f"## {markdown_text(section['title'])}", ""]
        for item in section["items"] or [{"text": texts("template", "hypothesis_none")}]:
            lines.append(f"- {_md_item(item, facts, texts)}")
        lines.append("")
        if section["key"] == "summary":
            lines += _md_figures(report["figures"], facts, texts)
    lines += ["---", "", f"*{markdown_text(about(report, texts))}*", ""]
    return "\n".join(lines)


def _md_figures(figures: Sequence[Mapping[str, str]], facts: Facts, texts: Texts) -> list[str]:
    if not figures:
        return []
    compared = facts.compared
    head = ["", texts("notes", "now"), *([texts("notes", "before"), texts("notes", "change")] if compared else [])]
    lines = [f"## {markdown_text(texts('sections', 'figures'))}", "", f"| {' | '.join(map(markdown_text, head))} |"]
    lines.append("|---" + "|--:" * (len(head) - 1) + "|")
    for row in figures:
        cells = [row["label"], row["now"], *([row["before"], row["change"]] if compared else [])]
        lines.append(f"| {' | '.join(markdown_text(cell or texts('notes', 'none')) for cell in cells)} |")
    return [*lines, ""]


def _md_item(item: Mapping[str, Any], facts: Facts, texts: Texts) -> str:
    text = markdown_text(item["text"])
    if not item.get("hypothesis"):
        return text
    mark = f"{texts('notes', 'hypothesis')} ({texts('notes', 'confidence', item['confidence'])})"
    told = texts("notes", "pair", label=mark, value="").rstrip()
    return f"*{markdown_text(told)}* {text} *({markdown_text(_rests(item, facts, texts))})*"


def _rests(item: Mapping[str, Any], facts: Facts, texts: Texts) -> str:
    labels = [
        texts("notes", "pair", label=facts.all[one].label, value=facts.rendering(one))
        for one in item["rests_on"]
        if facts.all[one].unit != "name"
    ]
    named = [facts.rendering(one) for one in item["rests_on"] if facts.all[one].unit == "name"]
    return texts("notes", "rests", facts=texts("notes", "joint").join(labels or named))


def _period(facts: Facts, texts: Texts) -> str:
    period = texts("notes", "period", start=facts.rendering("period.start"), end=facts.rendering("period.end"))
    if not facts.compared:
        return f"{period}. {texts('notes', 'uncompared')}"
    return f"{period}, {texts('notes', 'compared', start=facts.rendering('previous.start'))}."


def about(report: Mapping[str, Any], texts: Texts) -> str:
    """Who wrote the report."""
    if report["written_by"] == "model":
        return f"{texts('notes', 'model', model=report['model'])} {texts('notes', 'prompt', version=report['prompt'])}."
    return texts("notes", "template")


def markdown_text(text: str) -> str:
    """A text in which nothing is markup."""
    return _MARKDOWN.sub(r"\\\1", text)


def html(report: Mapping[str, Any], facts: Facts, texts: Texts) -> str:
    """The report as one self-contained page without scripts; every text is escaped, every figure marked with its fact."""

    def figured(source: str) -> Markup:
        parts, at = [], 0
        for found in REFERENCE.finditer(source):
            fact = facts.all[found[1]]
            tag = "b" if fact.unit != "name" else "span"
            hint = f"{fact.label} [{fact.id}]"
            parts += [escape(source[at : found.start()])]
            parts += [Markup('<{0} class="fact" title="{1}">{2}</{0}>').format(Markup(tag), hint, fact.rendering)]  # noqa: S704
            at = found.end()
        return Markup("").join([*parts, escape(source[at:])])

    return _page().render(
        report=report,
        language=texts.language,
        period=_period(facts, texts),
        about=about(report, texts),
        figured=figured,
        rests=lambda item: _rests(item, facts, texts),
        compared=facts.compared,
        notes=texts.all["notes"],
        figures=texts("sections", "figures"),
        empty=texts("template", "hypothesis_none"),
    )


@cache
def _page() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(files("reporter").joinpath("templates/report.html").read_text("utf-8"))
