"""`headrace check` reports what it left out, and never spoils what it reads or what it wrote before."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from headrace.check.results import Results
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


def test_clean_and_rejected_records_are_written(products: Path, tmp_path: Path) -> None:
    products.write_text(HEADER + LINE + "2,Toys,-1\n", encoding="utf-8")
    out = tmp_path / "out" / "of" / "it"
    assert check(products, "--write", out).exit_code == 0
    assert (out / "products.clean.jsonl").read_text("utf-8") == '{"product_id":1,"category":"Toys","unit_price":2.5}\n'
    assert '"rule": "unit_price.exclusiveMinimum"' in (out / "products.rejected.jsonl").read_text("utf-8")
    assert not list(out.glob("*.part"))


def test_the_folder_to_write_to_may_not_hold_what_is_judged(tmp_path: Path) -> None:
    before = tmp_path / "products.clean.jsonl"
    before.write_text('{"product_id":1,"category":"Toys","unit_price":2.5}\n', encoding="utf-8")
    done = check(before, "--write", tmp_path)
    assert done.exit_code == 2
    assert "would replace" in done.output
    assert before.stat().st_size > 0


def test_columns_left_out_and_unusual_rows_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "products.csv"
    path.write_text("product_id,category, unit_price,note\n1,Toys,2.5,x\n2,Toys\n", encoding="utf-8")
    done = check(path)
    assert f"{path}: columns that the contract of products does not have:  unit_price, note\n" in done.stderr
    assert "required fields of products without a column: unit_price" in done.stderr
    assert "rows with fewer cells than the header has: 1" in done.stderr
    assert done.stdout.startswith("products: 2 records")


def test_a_file_without_records_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "products.csv"
    path.write_text(HEADER, encoding="utf-8")
    done = check(path)
    assert (done.exit_code, done.stdout) == (0, "no record was judged, because the files have no records\n")
    done = check(path, "--min-conformity", "0%")
    assert done.exit_code == 1


def test_a_stop_in_the_moment_in_which_a_file_begins_leaves_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.open

    def begin(path: Path, mode: str) -> None:
        real(path, mode).close()
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "open", begin)
    with pytest.raises(KeyboardInterrupt), Results(tmp_path / "out") as results:
        results.open("products.clean.jsonl")
    assert (tmp_path / "out").exists()
    assert not list((tmp_path / "out").iterdir())
