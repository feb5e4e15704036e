"""The table of ``headrace status``: shares, money and a status of nothing."""

from __future__ import annotations

from datetime import UTC, datetime

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
