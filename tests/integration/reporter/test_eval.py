"""``make report-eval`` measures what a model adds: its own words that survive, repairs, fallbacks, cost."""

from __future__ import annotations

import json

import pytest

from benchmarks.report_eval import fact_sets, main
from tests.support.llm import says, serving
from tests.support.report_facts import reply


def test_it_prints_what_came_of_every_fact_set(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    bad = "Conformity is 12 %."
    with serving(says(reply()), says(bad), says(bad), says(reply())) as server:
        monkeypatch.setenv("HEADRACE_LLM_MODEL", "m")
        monkeypatch.setenv("HEADRACE_LLM_BASE_URL", server.url)
        monkeypatch.setenv("HEADRACE_LLM_PRICE_INPUT", "2")
        monkeypatch.setenv("HEADRACE_LLM_PRICE_OUTPUT", "10")
        assert main(["--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    rows, total = printed["rows"], printed["summary"]

    assert rows[0] == rows[0] | {"outcome": "passed", "own_words": 1.0, "cost": pytest.approx(0.0054)}
    assert rows[1] == rows[1] | {"outcome": "template", "reason": "gate"}
    assert rows[1]["own_words"] is None
    survived = [row["own_words"] for row in rows if row["own_words"] is not None]
    # What English words of a model survive in the reports of other languages is nothing.
    assert len(survived) == len(rows) - 1
    assert total["own_words"] == pytest.approx(sum(survived) / len(survived))
    assert 0 < total["own_words"] < 1
    assert total["reports"] == len(list(fact_sets()))
    assert total["passed"] + total["repaired"] + total["partial"] + total["fallbacks"] == total["reports"]
    assert total["tokens_in"] == sum(row["tokens_in"] for row in rows) > 0
