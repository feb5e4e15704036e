"""The table of ``headrace status``: shares, money and a status of nothing."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Console

from headrace.cli.formats import money, percent
from headrace.cli.status_table import table


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
    row = {"in": 9, "clean": 4, "rejected": 1, "pending": 0, "deleted": 4, "unreadable": 7, "repaired": 0}
    row |= {"conformity": None, "quality": {"score": None}, "findings": {}}  # type: ignore[dict-item]
    kpis = dict.fromkeys(("active_customers", "orders", "revenue"), 0)
    kpis |= dict.fromkeys(("currency", "conversion_rate", "quality_score", "conformity"))  # type: ignore[arg-type]
    status = {"entities": {"orders": row}, "kpis": kpis, "workers": 1, "stopped": [stopped], "freshness": {}, "lag": {}}
    console.print(table(status, datetime.now(UTC)))
    text = console.export_text()

    assert "orders[3] has stopped at the batch of offsets 5 to ?, which cannot be read: its checksum does not match" in text
    assert ("deleted" in text, "unreadable" in text) == (True, True)
