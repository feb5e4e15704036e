"""The page on quality names every option of `headrace evaluate`, and was made with all faults and incidents."""

from __future__ import annotations

import pytest

from headrace.cli.evaluate import command
from headrace.evaluation.table import BEGIN, END
from producers.simulator.faults import FAULTS
from producers.simulator.incidents import KINDS, Kind
from tests.support.paths import DOCS

PAGE = (DOCS / "explanation" / "quality.md").read_text("utf-8")
SOURCES = (DOCS / "reference" / "simulator.md").read_text("utf-8")


def test_every_option_is_documented() -> None:
    for parameter in command.params:
        for option in parameter.opts:
            if option.startswith("--"):
                assert f"`{option}" in PAGE, option


@pytest.mark.parametrize("name", [*(fault.name for fault in FAULTS), *(kind.name for kind in KINDS)])
def test_the_table_holds_every_fault_and_incident(name: str) -> None:
    table = PAGE.partition(BEGIN)[2].partition(END)[0]
    assert f"`{name}`" in table


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_incident_is_explained_with_what_shows_it(kind: Kind) -> None:
    (row,) = [line for line in SOURCES.splitlines() if line.startswith(f"| `{kind.name}`")]
    assert kind.explain() in row
    for metric in kind.shown_by:
        assert f"`{metric}`" in row
