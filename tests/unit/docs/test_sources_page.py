"""The pages on sources and the simulator name every fault, option and key that there is."""

from __future__ import annotations

import runpy

import click
import pytest

from headrace.cli import replay, simulate
from producers.simulator.faults import FAULTS
from producers.sources import mapping
from producers.sources.files import COMPRESSIONS
from tests.support.paths import DOCS, ROOT

TEXT = "".join((DOCS / "reference" / name).read_text("utf-8") for name in ("sources.md", "simulator.md"))


def test_the_tables_of_faults_and_incidents_are_those_that_the_simulator_makes() -> None:
    tables = runpy.run_path(str(ROOT / "scripts" / "simulator_tables.py"))["tables"]
    assert tables(TEXT) == TEXT


def test_every_fault_is_documented_with_its_rule() -> None:
    for fault in FAULTS:
        (row,) = [line for line in TEXT.splitlines() if line.startswith(f"| `{fault.name}`")]
        assert fault.does in row
        assert (f"`{fault.rule}`" if fault.rule else "(repaired)") in row
        assert fault.outcome in row


@pytest.mark.parametrize("command", [replay.command, simulate.command])
def test_every_option_is_documented(command: click.Command) -> None:
    for parameter in command.params:
        for option in (*parameter.opts, *parameter.secondary_opts):
            if option.startswith("--"):
                assert f"`{option}" in TEXT, option


def test_every_key_of_the_mapping_is_documented() -> None:
    for key in (*mapping.SOURCE_KEYS, *mapping.FEED_KEYS, *mapping.FIELD_KEYS, *mapping.PAGE_KEYS):
        assert f"{key}:" in TEXT or f"`{key}`" in TEXT, key
    for ending in COMPRESSIONS:
        assert f"`{ending}`" in TEXT
