"""How long keys count is a property of the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_app.contract import load_shop
from stream_app.errors import DocumentError

ORDERS = Path(load_shop(None).contracts["orders"].file)


def shop(folder: Path, value: str | None) -> Path:
    """The built-in shop, with this value of ``within``."""
    for file in ORDERS.parent.glob("*.odcs.yaml"):
        text = file.read_text()
        if file == ORDERS and value is not None:
            before = "      - property: recordKey\n"
            assert before in text
            text = text.replace(before, f"      - property: within\n        value: {value}\n{before}", 1)
        (folder / file.name).write_text(text)
    return folder


@pytest.mark.parametrize(("value", "days"), [(None, 400.0), ("30d", 30.0), ("36h", 1.5), ("forever", None)])
def test_keys_count_for_the_stated_time(tmp_path: Path, value: str | None, days: float | None) -> None:
    uniques = load_shop(shop(tmp_path, value)).contracts["orders"].uniques
    assert {None if one.within_ms is None else one.within_ms / 86_400_000 for one in uniques} == {days}


@pytest.mark.parametrize("value", ["30", "0d", "30 days", "10m", "true"])
def test_another_value_is_refused_with_what_to_write(tmp_path: Path, value: str) -> None:
    with pytest.raises(DocumentError, match=r"within is .*400d or 36h, or forever"):
        load_shop(shop(tmp_path, value))
