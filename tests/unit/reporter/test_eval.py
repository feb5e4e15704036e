"""``make report-eval`` needs a model; the template writes a report of each of its fact sets."""

from __future__ import annotations

import pytest

from benchmarks.report_eval import FactSet, fact_sets, main
from reporter import template
from reporter.draft import references
from reporter.texts import texts


def test_without_a_model_it_says_what_to_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "HEADRACE_LLM_MODEL" in capsys.readouterr().err


@pytest.mark.parametrize("one", list(fact_sets()), ids=lambda one: one.name)
def test_the_template_writes_every_section_of_every_fact_set(one: FactSet) -> None:
    facts = one.facts()

    draft = template.write(facts, texts(one.language))

    assert all(said.text for said in (draft.headline, *draft.summary, *draft.impact, *draft.recommendations))
    assert draft.anomalies
    assert all(name in facts.all for said in (*draft.summary, *draft.anomalies) for name in references(said.text))
