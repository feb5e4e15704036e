"""CSV files of orders to replay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

HEADER = "order_id,customer_id,product_id,quantity,price,order_date\n"


def orders(path: Path, count: int, start: int = 1) -> Path:
    midnight = datetime(2026, 1, 5, tzinfo=UTC)
    rows = "".join(
        f"{number},{number % 97},{number % 7},2,1.5,{(midnight + timedelta(seconds=number)):%Y-%m-%d %H:%M:%S}\n"
        for number in range(start, start + count)
    )
    path.write_text(HEADER + rows, encoding="utf-8")
    return path
