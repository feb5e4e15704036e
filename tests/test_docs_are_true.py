"""Every setting, header, command and rule kind of the code stands in the docs."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from headrace.cli import COMMANDS
from stream_app import names
from stream_app.contract.compile import RECORD_RULES
from stream_app.contract.values import STEPS
from stream_app.worker.delivery import NULL_VALUE, TRUNCATED

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
CONTRACTS = (ROOT / "docs" / "reference" / "contracts.md").read_text("utf-8")


def test_the_settings_page_is_the_one_the_code_makes() -> None:
    table = runpy.run_path(str(ROOT / "scripts" / "settings_table.py"))["table"]
    assert (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8") == table()


@pytest.mark.parametrize(
    "header",
    [names.SOURCE, names.CONTRACT, names.FINDINGS, names.WARNINGS, names.REPAIRS, names.ATTEMPTS, names.AS_OF, names.TOPIC_ID]
    + [TRUNCATED, NULL_VALUE],
)
def test_every_header_is_in_the_readme(header: str) -> None:
    assert f"`{header}`" in README


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"simulate"}))
def test_every_command_is_in_the_readme(command: str) -> None:
    assert f"headrace {command}" in README


@pytest.mark.parametrize("word", [*sorted({step for steps in STEPS.values() for step in steps}), *RECORD_RULES])
def test_every_cleaning_step_and_record_rule_is_in_the_contracts_page(word: str) -> None:
    assert f"`{word}`" in CONTRACTS


def test_what_the_readme_links_to_is_there() -> None:
    for name in ("architecture", "performance", "contracts", "sources", "settings"):
        assert (ROOT / "docs" / f"{name}.md").stat().st_size > 0, name
    assert (ROOT / "LICENSE").stat().st_size > 0
    for test in ("test_worker_kill", "test_judge_properties", "test_online_retail", "test_judge_bytes", "test_worker_inputs"):
        assert (ROOT / "tests" / f"{test}.py").exists(), test
