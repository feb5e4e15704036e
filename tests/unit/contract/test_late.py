"""A contract says whether late records are rejected."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stream_app.contract import load_shop
from stream_app.contract.compile import LATE_RULE
from stream_app.contract.model import Severity
from stream_app.errors import DocumentError
from tests.support.paths import ROOT

BEFORE = "      - property: unknownFields\n"


def orders_with(folder: Path, late: str, *, without: str = "") -> Path:
    shutil.copytree(ROOT / "stream_app" / "contracts", folder)
    file = folder / "orders.odcs.yaml"
    text = file.read_text("utf-8").replace(BEFORE, f"      - {{property: late, value: {late}}}\n{BEFORE}")
    file.write_text(text.replace(without, ""), "utf-8")
    return folder


def test_late_records_are_accepted_unless_the_contract_says_otherwise(tmp_path: Path) -> None:
    for name, late in (("plain", None), ("accept", "accept")):
        folder = ROOT / "stream_app" / "contracts" if late is None else orders_with(tmp_path / name, late)
        contract = load_shop(folder).contracts["orders"]
        assert not contract.rejects_late
        assert LATE_RULE not in contract.rules


def test_a_contract_that_rejects_late_records_has_a_rule_for_it(tmp_path: Path) -> None:
    contract = load_shop(orders_with(tmp_path / "shop", "reject")).contracts["orders"]
    assert contract.rejects_late
    rule = contract.rules[LATE_RULE]
    assert (rule.severity, rule.path, bool(rule.impact)) == (Severity.ERROR, "$", True)


@pytest.mark.parametrize("late", ["drop", "true", "[reject]", "null"])
def test_another_wish_is_refused(tmp_path: Path, late: str) -> None:
    with pytest.raises(DocumentError, match=r"late is .*; use accept or reject"):
        load_shop(orders_with(tmp_path / "shop", late))


def test_late_records_need_an_event_time(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="without an eventTime; name one"):
        load_shop(orders_with(tmp_path / "shop", "reject", without="      - property: eventTime\n        value: order_date\n"))
