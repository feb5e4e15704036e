"""How the Kafka clients connect."""

from __future__ import annotations

import ssl
from typing import Any

from kafka import errors  # type: ignore[import-untyped]

from stream_app.errors import DeliveryError, SettingsError
from stream_app.settings import Settings


def async_options(settings: Settings) -> dict[str, Any]:
    """Connection options for aiokafka."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka.split(","),
        "security_protocol": settings.kafka_security_protocol,
    }
    if "SSL" in settings.kafka_security_protocol:
        ca = str(settings.kafka_ca_file) if settings.kafka_ca_file else None
        options["ssl_context"] = ssl.create_default_context(cafile=ca)
    if settings.kafka_security_protocol.startswith("SASL") and settings.kafka_password is not None:
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_username
        options["sasl_plain_password"] = settings.kafka_password.get_secret_value()
    return options


#: Seconds to wait for a broker that does not answer at the start.
CONNECT_SECONDS = 10.0


def sync_options(settings: Settings) -> dict[str, Any]:
    """Address and security options of kafka-python's clients.

    Raises:
        SettingsError: the CA file cannot be used.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka.split(","),
        "security_protocol": settings.kafka_security_protocol,
        "client_id": "headrace",
    }
    if settings.kafka_security_protocol.endswith("SSL"):
        try:
            options["ssl_context"] = ssl.create_default_context(
                cafile=str(settings.kafka_ca_file) if settings.kafka_ca_file else None
            )
        except OSError as error:
            raise SettingsError(
                f"HEADRACE_KAFKA_CA_FILE: {settings.kafka_ca_file} holds no certificates that can be used "
                f"({error.strerror or type(error).__name__}); name a PEM file"
            ) from None
    if settings.kafka_security_protocol.startswith("SASL") and settings.kafka_password is not None:
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_username
        options["sasl_plain_password"] = settings.kafka_password.get_secret_value()
    return options


def connection_problem(settings: Settings, error: BaseException) -> DeliveryError:
    """What a client's refusal to start means to its user."""
    if isinstance(error, errors.SaslAuthenticationFailedError | errors.AuthorizationError):
        cure = "Kafka refuses the user; check HEADRACE_KAFKA_USERNAME, HEADRACE_KAFKA_PASSWORD and their rights"
    elif settings.kafka_security_protocol == "PLAINTEXT":
        cure = "start it, or set HEADRACE_KAFKA to where it is"
    else:
        cure = "check HEADRACE_KAFKA and HEADRACE_KAFKA_SECURITY_PROTOCOL"
    return DeliveryError(f"no Kafka broker answers at {settings.kafka} ({type(error).__name__}): {cure}")
