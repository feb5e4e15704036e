"""Contracts and records that the judge's tests share."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from stream_app.contract import Contract, Shop, load_shop
from stream_app.judge import Judge, Verdict
from tests.support.paths import ROOT

SHOPS: dict[str, Path] = {
    "built-in": ROOT / "stream_app" / "contracts",
    "online-retail": ROOT / "examples" / "online-retail",
}
#: 2024-05-01T12:00:00Z in milliseconds.
AS_OF = 1_714_564_800_000

GOOD: dict[tuple[str, str], dict[str, Any]] = {
    ("built-in", "orders"): {
        "order_id": 1,
        "customer_id": 7,
        "product_id": 3,
        "quantity": 2,
        "price": 9.99,
        "order_date": "2024-05-01T10:00:00Z",
    },
    ("built-in", "customers"): {
        "customer_id": 7,
        "name": "Ada Byron",
        "email": "ada@example.org",
        "country": "United Kingdom",
    },
    ("built-in", "products"): {"product_id": 3, "category": "Books", "unit_price": 9.99},
    ("built-in", "visits"): {"visit_id": 5, "customer_id": 7, "source": "search", "started": "2024-05-01T10:00:00Z"},
    ("online-retail", "orders"): {
        "invoice_no": "536365",
        "stock_code": "85123A",
        "product_id": "85123A",
        "line_type": "sale",
        "description": "WHITE HANGING HEART T-LIGHT HOLDER",
        "quantity": 6,
        "price": 2.55,
        "customer_id": 17850,
        "country": "United Kingdom",
        "invoice_date": "2010-12-01T08:26:00Z",
    },
    ("online-retail", "customers"): {
        "customer_id": 17850,
        "country": "United Kingdom",
        "first_seen": "2010-12-01T08:26:00Z",
    },
    ("online-retail", "products"): {
        "product_id": "85123A",
        "description": "WHITE HANGING HEART T-LIGHT HOLDER",
        "list_price": 2.55,
    },
}


@cache
def shop(name: str) -> Shop:
    """One of the two shops that Headrace ships."""
    return load_shop(SHOPS[name])


@cache
def judge_of(name: str, entity: str) -> Judge:
    """The judge of one entity of a shipped shop."""
    return Judge(shop(name).contracts[entity])


def encoded(record: Any) -> bytes:
    """A record as producers send it."""
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()


def order(**changes: Any) -> dict[str, Any]:
    """A good order of the built-in shop, changed; ``...`` leaves a field out."""
    record = GOOD["built-in", "orders"] | changes
    return {name: value for name, value in record.items() if value is not ...}


def judged(raw: bytes | None, entity: str = "orders", name: str = "built-in") -> Verdict:
    """The verdict on raw bytes by a shipped contract."""
    return judge_of(name, entity).judge(raw, AS_OF)


def broken(verdict: Verdict) -> list[str]:
    """The ids of the rules that a verdict reports."""
    return [rule.id for rule in verdict.findings]


def contract_of(folder: Path, properties: str, schema: str = "", entity: str = "things") -> Contract:
    """A contract made of YAML: ``properties`` is the list of fields, ``schema`` more keys beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    head = (
        "apiVersion: v3.1.0\nkind: DataContract\nid: test\nversion: 1.0.0\nstatus: active\n"
        f"schema:\n  - name: {entity}\n    properties:\n"
    )
    text = head + _indented(properties, 6) + _indented(schema, 4)
    (folder / f"{entity}.odcs.yaml").write_text(text, encoding="utf-8")
    return load_shop(folder).contracts[entity]


def _indented(text: str, width: int) -> str:
    lines = text.strip("\n").splitlines()
    return "".join(f"{' ' * width}{line}\n" for line in lines)
