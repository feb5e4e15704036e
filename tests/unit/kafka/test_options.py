"""Kafka clients get their options from the settings, and messages no credentials."""

from __future__ import annotations

from stream_app.kafka.options import sync_options as kafka_options
from stream_app.settings import load_settings


def test_credentials_reach_kafka_python_and_no_message() -> None:
    settings = load_settings(
        kafka="h:1", kafka_security_protocol="SASL_SSL", kafka_sasl_mechanism="SCRAM-SHA-512", kafka_username="u",
        kafka_password="p4ss",
    )  # fmt: skip
    options = kafka_options(settings)
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert options["sasl_plain_password"] == "p4ss"
    assert options["ssl_context"].check_hostname
    assert "p4ss" not in repr(settings)
