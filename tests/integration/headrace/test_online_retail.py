"""The online gift shop: the facts counted in its file come out of `headrace check` and out of the stream, the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import RETAIL

SHOP = RETAIL
#: The UCI "Online Retail" file, first five months (test data that is not part of the project).
DATA = os.environ.get("HEADRACE_TEST_RETAIL", "")
HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
ROWS = """\
536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
536366,POST,POSTAGE,1,2010-12-01 08:28:00,18.00,12583.0,France
536367,22745,POPPY'S PLAYHOUSE BEDROOM ,6,2010-12-01 08:34:00,2.10,,United Kingdom
C536379,85123A,WHITE HANGING HEART T-LIGHT HOLDER,-1,2010-12-01 09:41:00,2.55,17850.0,United Kingdom
536589,21777,,-10,2010-12-01 16:50:00,0.0,,United Kingdom
A563185,B,Adjust bad debt,1,2011-01-12 14:50:00,11062.06,,Unspecified
"""


def check(shop: Path, *paths: Path | str, **settings: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "headrace", "check", "--shop", str(shop), "--json", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | settings)
    status: dict[str, Any] = json.loads(done.stdout)
    return status


def test_a_handful_of_lines_is_judged_as_the_contract_says(tmp_path: Path) -> None:
    file = tmp_path / "online-retail-sample.csv"
    file.write_text(HEADER + ROWS, encoding="utf-8")
    status = check(SHOP, file)
    orders = status["entities"]["orders"]
    assert (orders["in"], orders["clean"], orders["rejected"], orders["pending"]) == (7, 5, 2, 0)
    assert orders["findings"] == {
        "country_unspecified": 1, "description_missing": 1, "guest": 3,
        "negative_quantity": 1, "price_zero": 1, "repeated_line": 1,
    }  # fmt: skip
    assert orders["repaired"] == 1
    assert status["entities"]["customers"]["clean"] == 2
    assert status["kpis"]["active_customers"] == 2
    # The adjustment is neither an order nor revenue, and the cancellation takes its amount back.
    assert status["kpis"]["revenue"] == pytest.approx(6 * 2.55 + 18 + 6 * 2.10 - 2.55)
    assert (status["kpis"]["orders"], status["kpis"]["cancelled"]) == (3, 1)


def demo(*arguments: str, **settings: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "headrace", "demo", "--once", "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, env=os.environ | settings)
    assert done.returncode == 0, done.stderr[-3000:]
    status: dict[str, Any] = json.loads(done.stdout)
    return status


def test_the_stream_says_the_same_as_the_check(tmp_path: Path) -> None:
    file = tmp_path / "online-retail-sample.csv"
    file.write_text(HEADER + ROWS, encoding="utf-8")
    streamed, checked = demo("--shop", str(SHOP), "--data", str(file)), check(SHOP, file)
    assert streamed["entities"] == checked["entities"]
    assert streamed["kpis"] == checked["kpis"]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str], dict[str, Any]]:
    """The file, a setting that pins what it teaches to be usual, and what the check says of it then."""
    folder = tmp_path_factory.mktemp("retail")
    file, baseline = Path(DATA) if DATA else folder / "online-retail-sample.csv", folder / "baseline.json"
    if not DATA:
        file.write_text(HEADER + ROWS, encoding="utf-8")
    check(SHOP, file, "--learned", str(baseline))
    pinned = {"HEADRACE_BASELINE": str(baseline)}
    return file, pinned, check(SHOP, file, **pinned)


def test_the_stream_says_the_same_on_real_kafka(judged: tuple[Path, dict[str, str], dict[str, Any]], kafka: str) -> None:
    file, pinned, checked = judged
    run = uuid.uuid4().hex[:8]
    names = {"HEADRACE_TOPIC_PREFIX": f"retail-{run}-", "HEADRACE_GROUP": f"retail-{run}", "HEADRACE_KAFKA": kafka}
    streamed = demo("--shop", str(SHOP), "--data", str(file), **pinned, **names)
    assert streamed["entities"] == checked["entities"]
    assert streamed["kpis"] == checked["kpis"]


@pytest.mark.slow
@pytest.mark.skipif(not DATA, reason="HEADRACE_TEST_RETAIL does not name the UCI file")
def test_the_facts_of_the_real_file_come_out_exactly(judged: tuple[Path, dict[str, str], dict[str, Any]]) -> None:
    file, pinned, checked = judged
    streamed = demo("--shop", str(SHOP), "--data", str(file), **pinned)
    orders = checked["entities"]["orders"]
    assert orders["in"] == 171_999 == orders["clean"] + orders["rejected"]
    assert orders["pending"] == 0
    findings = dict(orders["findings"])
    assert findings.pop("quantity_outlier") > 0
    assert findings.pop("price_outlier") > 0
    assert findings == {
        "guest": 51_854, "negative_quantity": 534, "price_zero": 1_047, "repeated_line": 1_499,
        "description_missing": 695, "country_unspecified": 16,
    }  # fmt: skip
    assert streamed["entities"] == checked["entities"]
    assert streamed["kpis"] == checked["kpis"]
