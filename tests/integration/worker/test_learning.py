"""A worker learns its baseline on the way, even if it reads a full topic as fast as it can."""

from __future__ import annotations

from pathlib import Path

from stream_app.settings import Settings
from tests.support.stream import Books, Raw, await_settled, make_topics, order, produce, product, workers
from tests.support.stream import customer as buyer

ORDERS = 24_000
#: From the eight thousandth on, each so-manieth order is for a thousand pieces instead of two.
STRANGE = range(8_000, ORDERS, 500)


def placed(number: int) -> Raw:
    return order(number, number % 50 + 1, quantity=1_000 if number in STRANGE else 2)


def test_a_topic_that_is_read_at_full_speed_teaches_before_it_is_through(settings: Settings, tmp_path: Path) -> None:
    make_topics(settings)
    produce(settings, [product(1), *(buyer(number) for number in range(1, 51))])
    produce(settings, [placed(number) for number in range(ORDERS)])
    with workers(settings, tmp_path) as crew:
        await_settled(settings, {"orders": ORDERS}, crew)
        assert crew[0].terminate() == 0
    found = Books(settings).total("orders")["f:quantity_outlier"]
    assert len(STRANGE) * 0.8 <= found <= len(STRANGE)
