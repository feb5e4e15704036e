"""A report is rendered as Markdown and as HTML, in which only the report's own markup is markup."""

from __future__ import annotations

import json
from functools import cache
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest
from markdown_it import MarkdownIt

from reporter import choice, gate, render, template
from reporter.compute import compute
from reporter.draft import references
from reporter.facts import Facts
from reporter.gate import schema
from reporter.prompt import SHAPES
from reporter.report import FIRST_FIGURES, SECTIONS, Report, report_of
from reporter.texts import LANGUAGES, texts
from stream_app.contract.summary import RuleSummary
from stream_app.counts.fields import Counts
from stream_app.store.period import PeriodCounts
from stream_app.store.reports import StoredReport
from tests.support.report_facts import contracts, material, reply, some_claims, some_facts

BAD = '<script>alert(1)</script> [click](javascript:x) **bold** | `code` & "quotes" ![i](http://e.example/i.png)'


@cache
def hostile() -> tuple[Report, Facts]:
    """A report on a shop whose contract holds every kind of markup."""
    orders = contracts()["orders"]
    rules = dict(orders.rules) | {"quantity.minimum": RuleSummary("validity<b>", "error", "$.quantity", BAD, BAD)}
    counts = {"orders": PeriodCounts(Counts(received=100, clean=90, rejected=10, findings={"quantity.minimum": 10}))}
    shop = contracts() | {"orders": msgspec.structs.replace(orders, rules=rules)}
    facts = compute(material(contracts=shop, counts=counts, before=None), texts("en"))
    draft = template.write(facts, texts("en"))
    return report_of(draft, facts, texts("en"), written_by="model", model=BAD, prompt="v1"), facts


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_the_page_holds_no_script_no_link_and_nothing_from_elsewhere() -> None:
    page = render.html(*hostile(), texts("en"))

    tags = Tags(page).seen
    assert {tag for tag, _ in tags}.isdisjoint({"script", "a", "img", "iframe", "link", "object", "form", "code", "strong"})
    attributes = {name for _, attrs in tags for name in attrs}
    assert attributes <= {"lang", "charset", "name", "content", "http-equiv", "class", "title"}
    assert "default-src 'none'" in page
    assert "url(" not in page
    assert "&lt;script&gt;" in page


def test_nothing_in_the_markdown_is_markup_but_the_reports_own() -> None:
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(render.markdown(*hostile(), texts("en")))
    inner = [child.type for token in tokens for child in token.children or ()]

    assert {"link_open", "image", "html_inline", "code_inline"}.isdisjoint(inner)
    assert not [token for token in tokens if token.type in {"html_block", "fence", "code_block"}]
    assert [token.type for token in tokens].count("heading_open") == 10


def test_each_figure_on_the_page_names_its_fact() -> None:
    facts = some_facts()
    chosen = gate.check(reply(), some_claims(), facts).choice
    assert chosen is not None
    draft = choice.assemble(chosen, some_claims(), facts.related)
    report = report_of(draft, facts, texts("en"), written_by="model", model="m", prompt="v1")
    page = render.html(report, facts, texts("en"))

    titles = [attrs["title"] or "" for _, attrs in Tags(page).seen if attrs.get("class") == "fact"]
    parts = [getattr(event, part) for event in report.events for part in ("what", *render.PARTS)]
    items = [*(item for section in report.sections for item in section.items), *(one for one in parts if one is not None)]
    said = [report.headline.source, *(item.source for item in items)]
    assert len(titles) == sum(len(references(text)) for text in said) > 16
    assert titles[0] == f"{facts.all['incident.1.less'].label} [incident.1.less]"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_section_is_there_in_every_language(language: str) -> None:
    say, facts = texts(language), some_facts(language)
    report = report_of(template.write(facts, say), facts, say, written_by="template", model=None, prompt="v1")
    text = render.markdown(report, facts, say)

    for section in ("events", "figures", "details", *SECTIONS, "more"):
        assert f"## {say('sections', section)}" in text
    assert say("notes", "template") in text
    assert say("notes", "hypothesis") in text
    assert all(section.items for section in report.sections)
    assert "{" not in text
    assert f'<html lang="{language}">' in render.html(report, facts, say)


def test_a_stored_report_comes_back_as_it_was() -> None:
    report, facts = hostile()
    stored = StoredReport(
        "a", 0, 60, 1, "en", "template", None, {"outcome": "x"}, report.to_dict(), facts.to_dict(), "# x", "<p>"
    )

    assert StoredReport.from_json(stored.to_json()) == stored
    for raw in ("", "[]", "{}", '{"id": "a"}', '"x"'):
        with pytest.raises(ValueError, match=r"."):
            StoredReport.from_json(raw)


def test_the_schema_is_one_that_structured_output_takes() -> None:
    def objects(part: Any) -> list[dict[str, Any]]:
        inner = [row for value in (part.values() if isinstance(part, dict) else part) if isinstance(value, dict | list)
                 for row in objects(value)]  # fmt: skip
        return inner + ([part] if isinstance(part, dict) and part.get("type") == "object" else [])

    found = objects(schema())
    assert len(found) == 2
    for one in found:
        assert one["additionalProperties"] is False
        assert sorted(one["required"]) == sorted(one["properties"])
    assert "default" not in json.dumps(schema())
    assert SHAPES[0]["response_format"]["json_schema"]["strict"] is True


def test_the_page_begins_with_verdict_events_and_five_figures_and_folds_the_rest() -> None:
    facts, say = some_facts(), texts("en")
    report = report_of(template.write(facts, say), facts, say, written_by="template", model=None, prompt="v")
    before, folded, rest = render.html(report, facts, say).partition("<details>")
    text = render.markdown(report, facts, say).partition(f"## {say('sections', 'details')}")[0]

    assert folded
    assert before.count('<p class="what">') == len(report.events) == 3
    assert before.count("<tr><td>") == text.count("\n| ") - 1 == FIRST_FIGURES
    assert "<h2>" in rest
    assert (
        text.index(report.headline.text[:20]) < text.index(say("sections", "events")) < text.index(say("sections", "figures"))
    )
