"""Options of `headrace evaluate` that cannot work are refused."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result

from headrace.cli.evaluate import command
from stream_app.errors import SettingsError


def evaluate(*options: str) -> Result:
    return CliRunner().invoke(command, options, catch_exceptions=False)


def test_a_stream_that_is_too_short_for_its_incidents_is_refused() -> None:
    with pytest.raises(SettingsError, match="do not fit"):
        evaluate("--seeds", "3", "--records", "20000", "--per-hour", "200", "--streams", "incidents", "--jobs", "1")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--seeds", "one"), "such as 1,2,3"), (("--require", "speed=1"), "unknown target"), (("somewhere",), "--truth"),
        (("--faults", "300%"), "not a share"), (("--streams", "loud"), "unknown stream"),
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(options: tuple[str, ...], says: str) -> None:
    result = CliRunner().invoke(command, options)
    assert result.exit_code != 0
    assert says in f"{result.output}{result.exception}"
