"""Every setting, header, command and rule kind of the code stands in the docs."""

from __future__ import annotations

import runpy

import pytest

from headrace.cli.main import COMMANDS
from stream_app import names
from stream_app.contract.compile import RECORD_RULES
from stream_app.contract.steps import STEPS
from stream_app.kafka.headers import NULL_VALUE, TRUNCATED
from tests.support.paths import DOCS, ROOT

README = (ROOT / "README.md").read_text("utf-8")
CONTRACTS = (DOCS / "contracts.md").read_text("utf-8")


def test_the_settings_page_is_the_one_the_code_makes() -> None:
    table = runpy.run_path(str(ROOT / "scripts" / "settings_table.py"))["table"]
    assert (DOCS / "settings.md").read_text("utf-8") == table()


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
    for test in (
        "worker/test_kill",
        "judge/test_properties",
        "headrace/test_online_retail",
        "judge/test_bytes",
        "worker/test_inputs",
    ):
        assert list((ROOT / "tests").rglob(f"{test}.py")), test
