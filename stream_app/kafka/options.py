"""How Kafka clients connect and produce: one configuration, in the forms of aiokafka and of kafka-python."""

from __future__ import annotations

import ssl
from typing import Any

from stream_app.errors import SettingsError
from stream_app.settings import Settings

#: Seconds to wait at the start for a broker that does not answer.
CONNECT_SECONDS = 10.0


def connection(settings: Settings) -> dict[str, Any]:
    """Address and security options; both libraries give them the same names.

    Raises:
        SettingsError: the CA file cannot be used.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka.split(","),
        "security_protocol": settings.kafka_security_protocol,
    }
    if settings.kafka_security_protocol.endswith("SSL"):
        options["ssl_context"] = _ssl_context(settings)
    if settings.kafka_security_protocol.startswith("SASL") and settings.kafka_password is not None:
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_username
        options["sasl_plain_password"] = settings.kafka_password.get_secret_value()
    return options


def _ssl_context(settings: Settings) -> ssl.SSLContext:
    file = settings.kafka_ca_file
    try:
        return ssl.create_default_context(cafile=str(file) if file else None)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SettingsError(
            f"HEADRACE_KAFKA_CA_FILE: cannot read certificates from {file} ({reason}); name a PEM file"
        ) from None


def async_options(settings: Settings) -> dict[str, Any]:
    """Connection options of aiokafka's clients.

    Raises:
        SettingsError: the CA file cannot be used.
    """
    return connection(settings)


def sync_options(settings: Settings) -> dict[str, Any]:
    """Connection options of kafka-python's clients.

    Raises:
        SettingsError: the CA file cannot be used.
    """
    return {**connection(settings), "client_id": "headrace"}


def async_producer_options(settings: Settings) -> dict[str, Any]:
    """Options of aiokafka's producers: acknowledged by all replicas, sent at once, because a batch of records is complete.

    Raises:
        SettingsError: the CA file cannot be used.
    """
    return {
        **async_options(settings),
        "acks": "all",
        "linger_ms": 0,
        "max_batch_size": 256 * 1024,
        "max_request_size": 8 * 1024 * 1024,
        "request_timeout_ms": 30_000,
    }


def sync_producer_options(settings: Settings, seconds: float, connect_seconds: float = CONNECT_SECONDS) -> dict[str, Any]:
    """Options of kafka-python's producers: idempotent, acknowledged by all replicas.

    Args:
        seconds: a record may take this long to be acknowledged, retries included.
        connect_seconds: the broker may take this long to answer at the start.

    Raises:
        SettingsError: the CA file cannot be used.
    """
    return {
        **sync_options(settings),
        "acks": "all",
        "enable_idempotence": True,
        "delivery_timeout_ms": int(seconds * 1000),
        "request_timeout_ms": int(min(30.0, seconds / 2) * 1000),
        "bootstrap_timeout_ms": int(connect_seconds * 1000),
        "metrics_enabled": False,
    }
