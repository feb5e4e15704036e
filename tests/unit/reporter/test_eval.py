"""``make report-eval`` needs a model; its fact sets are such that the template passes the gate."""

from __future__ import annotations

import pytest

from benchmarks.report_eval import fact_sets, main
from reporter import gate, template
from reporter.texts import texts


def test_without_a_model_it_says_what_to_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "HEADRACE_LLM_MODEL" in capsys.readouterr().err


@pytest.mark.parametrize("one", list(fact_sets()), ids=lambda one: one.name)
def test_the_template_writes_a_report_of_every_fact_set_that_the_gate_lets_through(one: object) -> None:
    facts, language = one.facts(), texts(one.language)  # type: ignore[attr-defined]

    draft = template.write(facts, language)

    problems = gate.check(draft.model_dump_json(), facts, language).problems
    assert not [problem for problem in problems if problem.code != "unsupported"]
