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
