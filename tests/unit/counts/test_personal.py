"""E-mail addresses and card numbers are masked in previews and on pages, in whatever field they stand."""

from __future__ import annotations

import json
import time

import pytest

from stream_app.contract.summary import describe
from stream_app.counts.personal import is_personal
from stream_app.counts.samples import MASK, mask
from stream_app.views.record import content
from tests.support.records import GOOD, encoded, shop

CARD = "4929 1234 5678 9015"


@pytest.mark.parametrize(
    "text",
    ["ada@example.org", "for Ada <ada.b+x@example.co.uk>", CARD, "4929-1234-5678-9015", "no. 4929123456789015.",
     '"a@b" ada@bücher.example'],
)  # fmt: skip
def test_it_is_personal(text: str) -> None:
    assert is_personal(text)
    assert json.loads(mask(encoded({"note": text, "n": 1}), ())) == {"note": MASK, "n": 1}
    assert json.loads(mask(encoded({"notes": [{"text": text}]}), ())) == {"notes": MASK}


@pytest.mark.parametrize(
    "text", ["", "3 @ 2.50", "@home", "a@b", "5901234123457", "4929 1234 5678 9012", "2026-11-30T12:00:00.000Z", "1" * 30]
)
def test_it_is_not(text: str) -> None:
    assert not is_personal(text)
    assert json.loads(mask(encoded({"note": text}), ())) == {"note": text}


def test_a_number_and_a_key_stay_as_they_are() -> None:
    assert mask(encoded({"id": 4929123456789015}), ()) == encoded({"id": 4929123456789015})


def test_the_page_of_a_record_masks_it_too() -> None:
    record = GOOD["online-retail", "orders"] | {"description": f"card {CARD}"}
    shown = content(encoded(record), describe(shop("online-retail").contracts["orders"]), [])
    assert CARD not in repr(shown)
    assert "France" in repr(
        content(encoded(record | {"country": "France"}), describe(shop("online-retail").contracts["orders"]), [])
    )


@pytest.mark.parametrize("text", ["@" * 200_000, "a@a" * 70_000, "1" * 200_000, "1 " * 100_000, "a@" + "b." * 100_000 + "1"])
def test_no_text_takes_long(text: str) -> None:
    began = time.process_time()
    is_personal(text)
    assert time.process_time() - began < 1
