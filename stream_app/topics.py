"""Creates a shop's topics where they are missing, and says how kafka-python connects."""

from __future__ import annotations

import ssl
import time
from typing import Any

from kafka import errors  # type: ignore[import-untyped]
from kafka.admin import KafkaAdminClient, NewTopic  # type: ignore[import-untyped]

from stream_app.contract.model import Shop
from stream_app.errors import DeliveryError, SettingsError
from stream_app.names import Topics, anomalies_topic
from stream_app.settings import Settings

#: Seconds to wait for a broker that does not answer at the start.
CONNECT_SECONDS = 10.0


def kafka_options(settings: Settings) -> dict[str, Any]:
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


def ensure_topics(settings: Settings, shop: Shop) -> None:
    """Create the raw, clean, dead-letter and pending topics of every entity, and the anomalies topic, where they are missing.

    Safe to call from several processes at once. An entity's topics get as many partitions as its raw topic has.

    Raises:
        DeliveryError: no broker answers, it refuses, or topics that exist differ in their partitions.
    """
    try:
        admin = KafkaAdminClient(**kafka_options(settings), bootstrap_timeout_ms=int(CONNECT_SECONDS * 1000))
    except errors.KafkaError as error:
        raise connection_problem(settings, error) from None
    try:
        existing = _partitions(admin)
        missing: list[NewTopic] = []
        for entity in shop.contracts:
            topics = Topics(entity, settings.topic_prefix)
            count = existing.get(topics.raw, settings.partitions)
            missing += [NewTopic(name, count, settings.replication) for name in topics.all if name not in existing]
        if (anomalies := anomalies_topic(settings.topic_prefix)) not in existing:
            missing.append(NewTopic(anomalies, 1, settings.replication))
        for topic in missing:
            try:
                admin.create_topics([topic])
            except errors.TopicAlreadyExistsError:
                continue
        _await(admin, settings, shop, {topic.name for topic in missing})
    except errors.TopicAuthorizationFailedError:
        raise DeliveryError(
            f"{settings.kafka} does not let this user create topics; create them, or grant CREATE on "
            f"{settings.topic_prefix or 'every entity'}*"
        ) from None
    except errors.InvalidReplicationFactorError:
        raise DeliveryError(
            f"{settings.kafka} has fewer brokers than HEADRACE_REPLICATION={settings.replication}; set a smaller number"
        ) from None
    except errors.KafkaError as error:
        raise DeliveryError(f"{settings.kafka} does not create the topics ({type(error).__name__}: see its log)") from None
    finally:
        admin.close()


def _partitions(admin: KafkaAdminClient) -> dict[str, int]:
    described = admin.describe_topics()
    return {topic["name"]: len(topic["partitions"]) for topic in described if not topic.get("error_code")}


def _await(admin: KafkaAdminClient, settings: Settings, shop: Shop, created: set[str]) -> None:
    """Wait until new topics are known, then hold every entity's topics to one partition count."""
    deadline = time.monotonic() + CONNECT_SECONDS
    while True:
        existing = _partitions(admin)
        if all(existing.get(name) for name in created):
            break
        if time.monotonic() > deadline:
            raise DeliveryError(f"{settings.kafka} has not created the topics in {CONNECT_SECONDS:.0f} s; see its log")
        time.sleep(0.05)
    for entity in shop.contracts:
        topics = Topics(entity, settings.topic_prefix)
        for name in topics.all:
            if existing[name] != existing[topics.raw]:
                raise DeliveryError(
                    f"topic {name} has {existing[name]} partitions, {topics.raw} has {existing[topics.raw]}: they must be "
                    f"the same; delete {name} or give both the same count"
                )


def topic_ids(settings: Settings, shop: Shop) -> dict[str, str]:
    """Raw topic → its id (KIP-516); a topic that is deleted and created anew has another. Empty where a broker has none.

    Raises:
        DeliveryError: no broker answers.
    """
    names = [Topics(entity, settings.topic_prefix).raw for entity in shop.contracts]
    try:
        admin = KafkaAdminClient(**kafka_options(settings), bootstrap_timeout_ms=int(CONNECT_SECONDS * 1000))
    except errors.KafkaError as error:
        raise connection_problem(settings, error) from None
    try:
        return {str(topic["name"]): str(topic.get("topic_id") or "") for topic in admin.describe_topics(names)}
    except errors.KafkaError as error:
        raise connection_problem(settings, error) from None
    finally:
        admin.close()
