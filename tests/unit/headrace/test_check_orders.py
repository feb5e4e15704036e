"""``headrace check`` counts orders as pages and reports do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from headrace.cli.main import cli
from tests.support.currencies import contract_text, sale

REVENUE = "{quantity: quantity, price: price, currency: EUR}"
ORDER = "{property: order, value: id}"
PAID = """{property: sale, value: {field: shop, values: [paid]}}
      - {property: cancellation, value: {field: shop, values: [cancelled]}}"""


@pytest.mark.parametrize(
    ("properties", "orders"),
    [([ORDER, PAID], 2), ([PAID], 2), ([ORDER], 4), ([], 4)],
    ids=["orders with states", "states without a number", "orders", "neither"],
)
def test_orders_are_those_that_the_contract_counts(tmp_path: Path, properties: list[str], orders: int) -> None:
    text = contract_text(REVENUE).replace(f"      - {ORDER}\n", "".join(f"      - {one}\n" for one in properties))
    (tmp_path / "orders.odcs.yaml").write_text(text)
    file = tmp_path / "orders.jsonl"
    states = enumerate(("created", "paid", "paid", "cancelled"), 1)
    file.write_text("".join(json.dumps(sale(number, 1, 2.5, "EUR", state)) + "\n" for number, state in states))
    done = CliRunner().invoke(cli, ["check", "--shop", str(tmp_path), "--json", str(file)], catch_exceptions=False)
    kpis = json.loads(done.stdout)["kpis"]
    assert (kpis["orders"], kpis["cancelled"]) == (orders, 1 if PAID in properties else 0)
    assert kpis["revenue"] == (5.0 if PAID in properties else 10.0)
