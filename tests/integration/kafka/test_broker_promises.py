"""The pipeline page says which broker is in use and what it promises, asked of the broker itself."""

from __future__ import annotations

import pytest

from stream_app.contract import load_shop
from stream_app.errors import DeliveryError
from stream_app.kafka.admin import ensure_topics
from stream_app.kafka.broker import Broker, describe
from stream_app.settings import Settings, load_settings

SHOP = load_shop(None)


def promises(broker: Broker, holds: bool) -> str:
    return " ".join(text for kept, text in broker.promises if kept is holds)


def test_the_topics_are_those_that_the_broker_has(settings: Settings) -> None:
    ensure_topics(settings, SHOP.contracts)
    found = describe(settings, ("orders", "products"))

    assert found.brokers == 1
    assert [topic.name.removeprefix(settings.topic_prefix) for topic in found.topics] == [
        f"{entity}{kind}" for entity in ("orders", "products") for kind in ("", ".clean", ".dlq", ".pending")
    ]
    assert {(topic.partitions, topic.replicas) for topic in found.topics} == {(settings.partitions, 1)}
    assert found.embedded is ("keeps them in memory" in promises(found, False))


def test_a_broker_that_is_away_is_said() -> None:
    with pytest.raises(DeliveryError, match="no Kafka broker answers"):
        describe(load_settings(kafka="127.0.0.1:1"), ("orders",))
