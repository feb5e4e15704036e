"""Options of `headrace report` that do not go together are refused."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from headrace.cli.report import command


@pytest.mark.parametrize(
    "arguments", [[], ["--once", "--every", "1h"], ["--every", "1h", "--anew"], ["--once", "--to", "2026-01-01"]]
)
def test_options_that_do_not_go_together_are_refused(arguments: list[str]) -> None:
    assert CliRunner().invoke(command, arguments).exit_code == 2
