"""A command whose packages are not installed names the extra that brings them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from headrace.cli.extras import PACKAGES


def run_without(packages: Iterable[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command as if these packages were not installed."""
    hidden = f"import sys; sys.modules |= dict.fromkeys({list(packages)!r}); sys.argv[1:] = {list(arguments)!r}"
    code = f"{hidden}; from headrace.cli.main import main; main()"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


def test_contracts_and_files_are_checked_with_the_base_alone(tmp_path: Path) -> None:
    (file := tmp_path / "products.jsonl").write_text('{"product_id":1,"category":"Toys","unit_price":9.5}\n')
    for arguments in (["contract"], ["check", str(file)], ["status", "--help"], ["replay", "--help"], ["simulate", "--help"]):
        done = run_without(PACKAGES, *arguments)
        assert (done.returncode, done.stderr) == (0, ""), arguments


@pytest.mark.parametrize(
    ("package", "command", "message"),
    [
        ("streamlit", "dashboard", "the dashboard needs streamlit; install it with pip install 'headrace[dashboard]'"),
        ("faust", "worker", "the worker needs faust; install it with pip install 'headrace[worker]'"),
        ("jinja2", "report --once", "the report needs jinja2; install it with pip install 'headrace[report]'"),
        ("apprise", "notify", "a notification needs apprise; install it with pip install 'headrace[worker]'"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, package: str, command: str, message: str
) -> None:
    monkeypatch.setenv("HEADRACE_NOTIFY", "json://127.0.0.1:1/")
    done = run_without([package], *command.split())
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"headrace: {message}\n")
