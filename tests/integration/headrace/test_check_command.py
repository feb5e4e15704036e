"""`headrace check` as a process: exit codes, full disks and signals leave earlier results as they are."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from headrace.cli.main import cli

HEADER = "product_id,category,unit_price\n"
LINE = "1,Toys,2.5\n"


@pytest.fixture
def products(tmp_path: Path) -> Path:
    path = tmp_path / "products.csv"
    path.write_text(HEADER + LINE, encoding="utf-8")
    return path


def check(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["check", *map(str, arguments)])


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "headrace", "check", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("wrong", ["no-such.csv", "products.csv.gz"])
def test_a_run_that_fails_leaves_earlier_results_as_they_are(products: Path, tmp_path: Path, wrong: str) -> None:
    out = tmp_path / "out"
    check(products, "--write", out)
    before = (out / "products.clean.jsonl").read_bytes()
    (tmp_path / "products.csv.gz").write_bytes(b"no gzip")
    done = run(tmp_path / wrong, "--write", out)
    assert (done.returncode, done.stdout) == (2, "")
    assert (out / "products.clean.jsonl").read_bytes() == before
    assert not list(out.glob("*.part"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_reported_in_one_line(products: Path, tmp_path: Path) -> None:
    (tmp_path / "products.clean.jsonl.part").symlink_to("/dev/full")
    done = run(products, "--write", tmp_path)
    assert done.returncode == 2
    assert (
        done.stderr == f"headrace: {tmp_path}: cannot be written (No space left on device); name another folder with --write\n"
    )
    done = run(products, "--learned", "/dev/full")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    command = f"{sys.executable} -m headrace check {products} > /dev/full"
    shell = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60, check=False)
    assert (shell.returncode, shell.stderr.count("\n")) == (2, 1)


def test_a_folder_that_cannot_be_made_is_reported(products: Path) -> None:
    done = run(products, "--write", products / "below")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "--write" in done.stderr


def test_the_entity_can_be_said_where_the_name_does_not(tmp_path: Path) -> None:
    path = tmp_path / "today.csv"
    path.write_text(HEADER + LINE, encoding="utf-8")
    done = run(path)
    assert done.returncode == 2
    assert "--entity" in done.stderr
    assert check(path, "--entity", "products").stdout.startswith("products: 1 records, 1 clean")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_is_no_verdict_and_leaves_no_part(tmp_path: Path, number: signal.Signals) -> None:
    pipe, out = tmp_path / "products.csv", tmp_path / "out"
    pipe.write_text(HEADER + LINE * 2_000_000, encoding="utf-8")
    command = [sys.executable, "-m", "headrace", "check", str(pipe), "--write", str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not out.exists() and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout, stderr) == (128 + number, "", "headrace: stopped\n")
    assert not list(out.iterdir())
