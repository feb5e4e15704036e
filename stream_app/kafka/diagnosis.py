"""Find out why no broker answers: the client libraries log the reason, and raise an error that does not tell it."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging

from stream_app.errors import DeliveryError, KafkaUnavailable
from stream_app.failures import classify, name_of
from stream_app.kafka.options import async_options
from stream_app.settings import Settings

#: Seconds that one server may take to accept a connection and the user.
_SECONDS = 3.0


async def diagnose(settings: Settings) -> BaseException | None:
    """Connect to the bootstrap servers; return why none of them accepts it, a permanent reason first; None if one does.

    Raises:
        ImportError: aiokafka is not installed. (kafka-python's clients do not learn why a user is refused.)
    """
    # By name: producers, reporter and dashboard work without it, and then know less.
    create_conn = importlib.import_module("aiokafka.conn").create_conn
    unreachable = (importlib.import_module("aiokafka.errors").KafkaError, OSError, EOFError)
    options = async_options(settings)
    reasons: list[BaseException] = []
    for server in options.pop("bootstrap_servers"):
        host, _, port = server.rpartition(":")
        try:
            # In time, whatever answers there: a connection without TLS to a port with TLS only waits.
            opened = await asyncio.wait_for(create_conn(host.strip("[]"), int(port), **options), _SECONDS)
        except unreachable as error:
            reasons.append(error)
        else:
            with contextlib.suppress(*unreachable):
                opened.close()
            return None
    return min(reasons, key=lambda reason: not classify(reason).permanent, default=None)


def connection_problem(settings: Settings, error: BaseException) -> DeliveryError:
    """Return the error that says what a client's failure to connect means, and what to do.

    kafka-python's clients repeat a refused log-in until their time is over, and then raise that. The error is a
    ``KafkaUnavailable`` if another attempt may succeed.
    """
    found = classify(error)
    if not found.permanent and (reason := _diagnosis(settings)) is not None and classify(reason).permanent:
        error, found = reason, classify(reason)
    if found.permanent:
        return DeliveryError(f"Kafka at {settings.kafka} refuses ({name_of(error)}): {found.text}")
    if settings.kafka_security_protocol == "PLAINTEXT":
        cure = (
            "start it, or set HEADRACE_KAFKA to its address; if its port wants TLS or a user, set "
            "HEADRACE_KAFKA_SECURITY_PROTOCOL"
        )
    elif settings.kafka_security_protocol.startswith("SASL"):
        cure = "check HEADRACE_KAFKA, HEADRACE_KAFKA_SECURITY_PROTOCOL, HEADRACE_KAFKA_USERNAME and HEADRACE_KAFKA_PASSWORD"
    else:
        cure = "check HEADRACE_KAFKA and HEADRACE_KAFKA_SECURITY_PROTOCOL"
    return KafkaUnavailable(f"no Kafka broker answers at {settings.kafka} ({name_of(error)}): {cure}")


def refusal(settings: Settings, error: BaseException, what: str) -> DeliveryError:
    """Return the error that says what a failed request means; ``what`` completes "Kafka does not …"."""
    found = classify(error)
    kind = DeliveryError if found.permanent else KafkaUnavailable
    return kind(f"{settings.kafka} does not {what} ({name_of(error)}): {found.text}")


def _diagnosis(settings: Settings) -> BaseException | None:
    """``diagnose``, where no event loop runs and aiokafka is installed."""
    log = logging.getLogger("aiokafka")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        return asyncio.run(diagnose(settings))
    except (ImportError, RuntimeError):
        return None
    finally:
        log.setLevel(level)
