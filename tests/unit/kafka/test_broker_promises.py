"""The promises of a broker follow from its copies, its kind and the settings."""

from __future__ import annotations

from dataclasses import replace

from stream_app.kafka.broker import Broker, Topic

KAFKA = Broker(False, "c", 3, (Topic("orders", 4, 3, 86_400_000), Topic("orders.clean", 4, 2, -1)))


def promises(broker: Broker, holds: bool) -> str:
    return " ".join(text for kept, text in broker.promises if kept is holds)


def test_copies_decide_whether_a_broker_may_fail() -> None:
    assert "has 2 copies" in promises(KAFKA, True)
    assert "has one copy" in promises(replace(KAFKA, topics=(Topic("orders", 4, 1, None),)), False)


def test_exactly_once_is_promised_where_it_is_switched_on_and_never_by_the_embedded_broker() -> None:
    assert "sees each one once" not in promises(KAFKA, True)
    assert "sees each one once" in promises(replace(KAFKA, exactly_once=True), True)
    assert "sees each one once" not in promises(replace(KAFKA, embedded=True, exactly_once=True), True)
