"""Kafka clients get their options from the settings, and messages no credentials."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kafka import errors

from stream_app.errors import SettingsError
from stream_app.kafka.diagnosis import connection_problem
from stream_app.kafka.options import (
    async_options,
    async_producer_options,
    sync_options,
    sync_producer_options,
)
from stream_app.kafka.producer import Producer
from stream_app.retries import GaveUp
from stream_app.settings import Settings, load_settings

BOTH = pytest.mark.parametrize("options", [async_options, sync_options])


def with_sasl() -> Settings:
    return load_settings(
        kafka="h:1,i:2", kafka_security_protocol="SASL_SSL", kafka_sasl_mechanism="SCRAM-SHA-512", kafka_username="u",
        kafka_password="p4ss",
    )  # fmt: skip


@BOTH
def test_credentials_reach_both_libraries_and_no_message(options: Callable[[Settings], dict[str, Any]]) -> None:
    settings = with_sasl()
    given = options(settings)
    assert given["bootstrap_servers"] == ["h:1", "i:2"]
    assert given["sasl_mechanism"] == "SCRAM-SHA-512"
    assert given["sasl_plain_password"] == "p4ss"
    assert given["ssl_context"].check_hostname
    assert "p4ss" not in repr(settings)
    assert "p4ss" not in str(connection_problem(settings, errors.SaslAuthenticationFailedError()))


@BOTH
def test_plain_text_needs_neither_certificates_nor_credentials(options: Callable[[Settings], dict[str, Any]]) -> None:
    assert not {"ssl_context", "sasl_plain_password"} & options(load_settings()).keys()


@pytest.mark.parametrize("text", [None, "not a certificate"], ids=["missing", "unreadable"])
def test_a_bad_ca_file_gives_both_libraries_the_same_error(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "ca.pem"
    if text is not None:
        file.write_text(text)
    settings = load_settings(kafka_security_protocol="SSL", kafka_ca_file=file)
    messages = set()
    for options in (async_options, sync_options):
        with pytest.raises(SettingsError) as raised:
            options(settings)
        messages.add(str(raised.value))
    (message,) = messages
    assert message.startswith("HEADRACE_KAFKA_CA_FILE: ")
    assert str(file) in message
    assert "PEM" in message


def test_every_producer_waits_for_all_replicas() -> None:
    settings = load_settings()
    assert async_producer_options(settings)["acks"] == "all"
    given = sync_producer_options(settings, 10.0, 2.0)
    assert (given["acks"], given["enable_idempotence"]) == ("all", True)
    assert (given["delivery_timeout_ms"], given["request_timeout_ms"], given["bootstrap_timeout_ms"]) == (10_000, 5_000, 2_000)


@pytest.mark.parametrize(
    ("changes", "error", "cure"),
    [
        ({}, errors.KafkaConnectionError(), "set HEADRACE_KAFKA to its address"),
        ({"kafka_security_protocol": "SSL"}, errors.KafkaConnectionError(), "HEADRACE_KAFKA_SECURITY_PROTOCOL"),
        ({}, errors.TopicAuthorizationFailedError(), "grant READ"),
        ({}, errors.SaslAuthenticationFailedError(), "HEADRACE_KAFKA_PASSWORD"),
    ],
)
def test_a_connection_problem_names_the_address_and_the_cure(changes: dict[str, Any], error: Exception, cure: str) -> None:
    message = str(connection_problem(load_settings(kafka="nowhere:9", **changes), error))
    assert "nowhere:9" in message
    assert type(error).__name__ in message
    assert cure in message


def test_a_producer_without_a_broker_gives_up_with_the_address_and_the_cure() -> None:
    settings = load_settings(kafka="127.0.0.1:1", give_up_after=0.0)
    with pytest.raises(GaveUp, match=r"Kafka at 127\.0\.0\.1:1 for .* s \(.*no broker answers\); .*HEADRACE_KAFKA"):
        asyncio.run(Producer(settings).start())
