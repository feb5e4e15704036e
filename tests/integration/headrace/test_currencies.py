"""A shop that sells in several currencies: the stream's totals are those of a recount of its records."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.currencies import APART, CONVERTED, contract_text, sale

pytestmark = pytest.mark.slow

DIGITS = {"EUR": 2, "JPY": 0, "KWD": 3}
SOURCES = """sources:
  - name: orders
    match: "orders*"
    feeds:
      - entity: orders
"""


def run(command: str, shop: Path, *arguments: str) -> dict[str, Any]:
    words = [sys.executable, "-m", "headrace", *command.split(), "--shop", str(shop), "--json", *arguments]
    done = subprocess.run(words, capture_output=True, text=True, timeout=240, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stderr[-3000:]
    status: dict[str, Any] = json.loads(done.stdout)
    return status


@pytest.mark.parametrize("revenue", [APART, CONVERTED])
def test_totals_of_the_stream_are_those_of_a_recount(tmp_path: Path, revenue: str) -> None:
    chance = random.Random(4)
    shop, file = tmp_path / "shop", tmp_path / "orders.jsonl"
    shop.mkdir()
    (shop / "orders.odcs.yaml").write_text(contract_text(revenue))
    (shop / "sources.yaml").write_text(SOURCES)
    rows = [
        sale(number, chance.randint(1, 9), round(chance.uniform(0.1, 90), DIGITS[currency]), currency)
        for number in range(1, 700)
        for currency in [chance.choice([*DIGITS])]
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    expected: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        expected[row["currency"]] += row["quantity"] * Decimal(str(row["price"]))

    streamed, checked = run("demo --once", shop, "--data", str(file)), run("check", shop, str(file))

    kpis = streamed["kpis"]
    assert kpis == checked["kpis"]
    assert {currency: Decimal(str(amount)) for currency, amount in kpis["revenue_by_currency"].items()} == expected
    if revenue == APART:
        assert kpis["revenue"] is None
    else:
        total = expected["EUR"] + expected["JPY"] * Decimal("0.0061") + expected["KWD"] * Decimal("3.01")
        # A record is rounded to a cent.
        assert abs(Decimal(str(kpis["revenue"])) - total) <= Decimal("0.005") * len(rows)
