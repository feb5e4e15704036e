"""A shop that sells in several currencies: its contract, and records of it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from stream_app.contract import Contract, load_shop

#: The revenue of contracts whose records name their currency: without rates, and with rates.
APART = "{quantity: quantity, price: price, currencyField: currency}"
CONVERTED = "{quantity: quantity, price: price, currencyField: currency, currency: EUR, rates: {JPY: 0.0061, KWD: 3.01}}"
LISTED = """
        quality:
          - {id: currency_known, type: library, metric: invalidValues, arguments: {validValues: [EUR, JPY, KWD]}, mustBe: 0,
             dimension: conformity, severity: error}"""


def contract_text(revenue: str, *, required: bool = True, options: str = "", quality: str = LISTED) -> str:
    """Return a contract of orders with a currency each."""
    return f"""apiVersion: v3.1.0
kind: DataContract
id: world-orders
version: 1.0.0
status: active
schema:
  - name: orders
    logicalType: object
    customProperties:
      - {{property: recordKey, value: id}}
      - {{property: eventTime, value: at}}
      - {{property: order, value: id}}
      - {{property: segments, value: [shop]}}
      - {{property: revenue, value: {revenue}}}
    properties:
      - {{name: id, logicalType: integer, primaryKey: true, primaryKeyPosition: 1, required: true}}
      - {{name: at, logicalType: timestamp, required: true}}
      - {{name: shop, logicalType: string}}
      - {{name: quantity, logicalType: integer, required: true}}
      - {{name: price, logicalType: number, required: true}}
      - name: currency
        logicalType: string
        required: {str(required).lower()}{options}{quality}
    quality:
      - {{id: dear, type: custom, engine: headrace, implementation: {{condition: 'id < 900'}}, dimension: accuracy,
         severity: warning}}
      - {{id: shop_named, type: custom, engine: headrace, implementation: {{required: [shop], when: 'id > 0'}},
         dimension: completeness, severity: error}}
"""


@cache
def contract(revenue: str) -> Contract:
    """Return the compiled contract."""
    folder = Path(mkdtemp(prefix="shop-"))
    (folder / "orders.odcs.yaml").write_text(contract_text(revenue))
    return load_shop(folder).contracts["orders"]


def sale(number: int, quantity: int, price: float, currency: Any, shop: str | None = "A") -> dict[str, Any]:
    """Return one order."""
    return {
        "id": number,
        "at": "2024-05-01T10:00:00Z",
        "shop": shop,
        "quantity": quantity,
        "price": price,
        "currency": currency,
    }
