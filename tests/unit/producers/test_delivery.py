"""A record that Kafka does not take is counted, or ends the delivery."""

from __future__ import annotations

from typing import Any

import pytest
from kafka import errors

from producers.record import RawRecord
from producers.sending.delivery import Sender
from stream_app.errors import DeliveryError
from stream_app.settings import load_settings


class RefusingProducer:
    """A KafkaProducer that refuses the given values."""

    def __init__(self, refuse: dict[bytes, Exception]) -> None:
        self.refuse = refuse

    def partitions_for(self, topic: str) -> set[int]:
        return {0}

    def send(self, topic: str, value: bytes, key: Any, headers: Any, partition: Any) -> Any:
        future = type("Future", (), {"is_done": True, "exception": self.refuse.get(value)})()
        future.value = type("Metadata", (), {"partition": 0, "offset": 0})()
        return future

    def flush(self, timeout: float) -> None: ...

    def close(self, timeout: float) -> None: ...


def refusing(monkeypatch: pytest.MonkeyPatch, refuse: dict[bytes, Exception]) -> Sender:
    monkeypatch.setattr("producers.sending.delivery.KafkaProducer", lambda **_: RefusingProducer(refuse))
    return Sender(load_settings())


def test_a_record_that_kafka_never_takes_is_counted_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    sender = refusing(monkeypatch, {b"3": errors.MessageSizeTooLargeError(), b"7": errors.MessageSizeTooLargeError()})
    for number in range(10):
        sender.send(RawRecord("orders", None, b"%d" % number, None))
    with pytest.raises(DeliveryError, match=r"2 of 10 records were not delivered.*MessageSizeTooLargeError"):
        sender.finish()
    assert (sender.settled, sender.failed) == (10, 2)


def test_a_record_that_was_not_taken_in_time_ends_the_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    sender = refusing(monkeypatch, {b"3": errors.KafkaTimeoutError()})
    for number in range(10):
        sender.send(RawRecord("orders", None, b"%d" % number, None))
    with pytest.raises(DeliveryError, match=r"7 of 10 records were not delivered.*KafkaTimeoutError"):
        sender.finish()
    assert sender.settled == 3, "the first that is missing bounds what counts as delivered"


def test_a_missing_right_says_what_to_grant(monkeypatch: pytest.MonkeyPatch) -> None:
    sender = refusing(monkeypatch, {b"3": errors.TopicAuthorizationFailedError()})
    for number in range(10):
        sender.send(RawRecord("orders", None, b"%d" % number, None))
    with pytest.raises(
        DeliveryError, match=r"7 of 10 records were not delivered: .* refuses them .*no right on a topic; grant"
    ):
        sender.finish()
