"""Side by side: the report of the template, and that of a scripted good model about the same facts."""

from __future__ import annotations

import pytest

from reporter.answer import Reply
from reporter.author import ModelAuthor, TemplateAuthor, Written
from reporter.draft import Draft, Said
from reporter.prompt import Messages
from reporter.texts import LANGUAGES, texts
from tests.support.report_facts import OWN_WORDS, reply, some_claims, some_facts


class Scripted:
    """A model that has read the claims."""

    model = "scripted"

    def __init__(self, language: str) -> None:
        self.language = language
        self.asked: list[Messages] = []

    def ask(self, messages: Messages, seconds: float) -> Reply:
        self.asked.append(messages)
        return Reply(reply(self.language), 1, 1, 0.0)


def said(draft: Draft) -> list[Said]:
    return [*draft.summary, *draft.anomalies, *draft.hypotheses, *draft.impact, *draft.recommendations]


def both(language: str) -> tuple[Written, Written]:
    facts, say = some_facts(language), texts(language)
    model = ModelAuthor(Scripted(language), lambda: lambda: 9.0)
    return TemplateAuthor().write(facts, say), model.write(facts, say)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_model_adds_a_connection_and_advice_and_leaves_out_what_is_no_news(language: str) -> None:
    template, model = both(language)
    stated = {one.source for one in some_claims(language).values()}
    added = [one for one in said(model.draft) if one.text not in {other.text for other in said(template.draft)}]

    assert model.provenance.outcome == "passed"
    assert [one.text for one in added if one.opinion] == list(OWN_WORDS[language])
    assert all(one.rests_on and one.confidence for one in added if one.opinion)
    assert all(one.text in stated for one in said(model.draft) if not one.opinion)
    assert len(model.draft.anomalies) < len(template.draft.anomalies)
    musts = {one.source for one in some_claims(language).values() if one.must}
    assert musts <= {one.text for one in said(model.draft)} & {one.text for one in said(template.draft)}


def test_the_opinion_is_the_cause_that_an_event_had_none_of() -> None:
    template, model = both("en")

    def cause(draft: Draft) -> str | None:
        event = next(one for one in draft.events if one.what.subject == "rule.orders.quantity.minimum")
        return None if event.cause is None else event.cause.text

    # The incident about this rule is the same event in the template's report.
    assert [one.cause for one in template.draft.events if one.what.subject == "incident.2"] == [None]
    assert cause(model.draft) == OWN_WORDS["en"][0]
