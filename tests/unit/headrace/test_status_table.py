"""The table of ``headrace status``: shares, money and a status of nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from headrace.cli.formats import money, percent
from headrace.cli.status_table import _trouble, table


def test_a_share_below_all_is_never_shown_as_all() -> None:
    assert percent(1.0) == "100.00 %"
    assert percent(0.999999) == "99.99 %"
    assert percent(None) == "–"


def test_money_below_zero_has_a_real_minus_sign() -> None:
    assert [money(-1234.5, "GBP"), money(0.0, None)] == ["−1,234.50 GBP", "0.00"]


def test_the_table_takes_a_status_of_nothing() -> None:
    console = Console(record=True, width=80)
    console.print(table({"entities": {}}, datetime.now(UTC)))

    assert "headrace demo" in console.export_text()


def test_a_stopped_partition_is_named_with_its_offsets_and_the_reason() -> None:
    stopped = {"topic": "orders", "partition": 3, "base": 5, "last": None, "reason": "its checksum does not match"}
    console = Console(record=True, width=140)
    row = {"in": 9, "clean": 4, "rejected": 1, "pending": 0, "deleted": 4, "unreadable": 7, "repaired": 0, "late": 0}
    row |= {"conformity": None, "quality": {"valid": None}, "findings": {}}  # type: ignore[dict-item]
    kpis = dict.fromkeys(("active_customers", "orders", "revenue"), 0)
    kpis |= dict.fromkeys(("currency", "conversion_rate", "valid_records", "conformity"))  # type: ignore[arg-type]
    status = {"entities": {"orders": row}, "kpis": kpis, "workers": 1, "stopped": [stopped], "freshness": {}, "lag": {}}
    console.print(table(status, datetime.now(UTC)))
    text = console.export_text()

    assert "orders[3] has stopped at the batch of offsets 5 to ?, which cannot be read: its checksum does not match" in text
    assert ("deleted" in text, "unreadable" in text) == (True, True)


def test_what_does_not_work_is_said_with_its_beginning() -> None:
    console = Console(record=True, width=200)
    status = {
        "entities": {},
        "trouble": [
            {"subject": "orders[3]", "text": "no right on orders.clean", "since": "2026-01-01T00:00:00.000Z", "stopped": True},
            {"subject": "", "text": "could not reach Kafka", "since": "2026-01-01T00:02:00.000Z", "stopped": False},
        ],
        "notes": {"customers": "restoring 37 %"},
    }
    console.print(_trouble(status, datetime(2026, 1, 1, 0, 3, tzinfo=UTC)))
    text = console.export_text()
    assert "orders[3] stopped no right on orders.clean (for 3 min)" in text
    assert "retries could not reach Kafka (for 60 s)" in text
    assert "customers restoring 37 %" in text
    assert _trouble({}, datetime.now(UTC)) is None


def test_the_conversion_rate_is_shown_with_the_visits_that_it_is_of() -> None:
    status = read_status_of_nothing()
    status["kpis"] |= {"conversion_rate": 0.25, "visits": 1_200}
    console = Console(record=True, width=200)
    console.print(table(status, datetime.now(UTC)))
    assert "conversion 25.00 % of 1,200 visits" in console.export_text()
    console.print(table(status | {"estimates": ["orders"]}, datetime.now(UTC)))
    assert "conversion ≈ 25.00 % of 1,200 visits" in console.export_text()


def test_lost_records_come_first() -> None:
    loss = {
        "entity": "orders", "topic": "orders", "partition": 1, "records": 1_234, "last_offsets": [20, 59],
        "since": "2026-11-29T10:00:00.000Z", "at": "2026-11-29T10:05:00.000Z",
    }  # fmt: skip
    status = read_status_of_nothing() | {"losses": [loss]}
    console = Console(record=True, width=400)
    console.print(table(status, datetime.now(UTC)))
    text = console.export_text()
    assert "orders: up to 1,234 records of orders[1] are lost" in text
    assert "offsets 20 to 59) at 2026-11-29 10:05:00 UTC" in text


def test_memory_is_shown_by_kind_and_when_it_is_full() -> None:
    kinds = {"windows": 4_000, "keys": 2_000_000, "references": 0}
    memory = {"used": 600_000_000, "limit": 1_000_000_000, "kinds": kinds, "per_day": 40_000_000, "days_left": 10.0}
    console = Console(record=True, width=400)
    for changes in ({}, {"days_left": 0.5}, {"limit": 0, "per_day": None, "days_left": None}):
        console.print(table(read_status_of_nothing() | {"memory": memory | changes}, datetime.now(UTC)))
    text = console.export_text()
    used = "Redis 600.0 MB of 1.0 GB (≈ keys 2.0 MB, windows 4.0 kB); +40.0 MB per day; full in"
    assert f"{used} 10 days" in text
    assert f"{used} 12 hours" in text
    assert "Redis 600.0 MB (≈ keys 2.0 MB, windows 4.0 kB)\n" in re.sub(" +\n", "\n", text)


def read_status_of_nothing() -> dict[str, Any]:
    """A status of one entity without a record."""
    row = {"in": 0, "clean": 0, "rejected": 0, "pending": 0, "repaired": 0, "conformity": None, "quality": {"valid": None}}
    kpis = {
        "active_customers": 0, "orders": 0, "revenue": 0.0, "currency": None, "conversion_rate": None, "valid_records": None,
        "conformity": None,
    }  # fmt: skip
    return {"entities": {"orders": {**row, "findings": {}}}, "kpis": kpis, "workers": 1, "freshness": {}, "lag": {}}
