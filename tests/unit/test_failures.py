"""The table of failures knows errors by class, by Redis' reply and by status, and says what to do."""

from __future__ import annotations

import ssl

import aiokafka.errors
import kafka.errors
import pytest
import redis.exceptions
from redis._parsers.base import BaseParser

from stream_app.errors import RecordRefused, SettingsError
from stream_app.failures import FAILURES, Kind, Scope, classify, http_failure, name_of, passes
from stream_app.failures.table import MODEL, SOURCE


@pytest.mark.parametrize(
    ("reply", "kind", "name", "advice"),
    [
        ("WRONGPASS invalid username-password pair or user is disabled.", Kind.PERMANENT, "WRONGPASS", "HEADRACE_REDIS"),
        ("NOAUTH Authentication required.", Kind.PERMANENT, "NOAUTH", "PASSWORD"),
        ("NOPERM User x has no permissions to run the 'hget' command", Kind.PERMANENT, "NOPERM", "grant"),
        ("MOVED 3999 127.0.0.1:6381", Kind.PERMANENT, "MOVED", "without cluster mode"),
        ("ASK 3999 127.0.0.1:6381", Kind.PERMANENT, "ASK", "without cluster mode"),
        ("CLUSTERDOWN Hash slot not served", Kind.PERMANENT, "CLUSTERDOWN", "without cluster mode"),
        ("CROSSSLOT Keys in request don't hash to the same slot", Kind.PERMANENT, "CROSSSLOT", "without cluster mode"),
        ("ERR SELECT is not allowed in cluster mode", Kind.PERMANENT, "ResponseError", "without cluster mode"),
        ("ERR DB index is out of range", Kind.PERMANENT, "ResponseError", "number at the end"),
        ("ERR unknown command 'EVALSHA', with args beginning with:", Kind.PERMANENT, "ResponseError", "rename no commands"),
        ("WRONGTYPE Operation against a key with another type", Kind.PERMANENT, "WRONGTYPE", "HEADRACE_REDIS_PREFIX"),
        ("LOADING Redis is loading the dataset in memory", Kind.PASSING, "LOADING", "wait"),
        ("BUSY Redis is busy running a script.", Kind.PASSING, "BUSY", "SCRIPT KILL"),
        ("READONLY You can't write against a read only replica.", Kind.PASSING, "READONLY", "failover"),
        ("MASTERDOWN Link with MASTER is down", Kind.PASSING, "MASTERDOWN", "start the master"),
        ("TRYAGAIN Multiple keys request during rehashing of slot", Kind.PASSING, "TRYAGAIN", "wait"),
        ("OOM command not allowed when used memory > 'maxmemory'.", Kind.PASSING, "OOM", "raise maxmemory"),
        ("MISCONF Redis is configured to save RDB snapshots, but it's currently unable to", Kind.PASSING, "MISCONF", "disk"),
        ("NOREPLICAS Not enough good replicas to write.", Kind.PASSING, "NOREPLICAS", "start the replicas"),
        ("ERR max number of clients reached", Kind.PASSING, "ConnectionError", "start it"),
        (
            "ERR Error running script (call to f_9): @user_script: 9: -OOM command not allowed when used memory",
            Kind.PASSING, "OOM", "raise maxmemory",
        ),
        ("ERR something new", Kind.PASSING, "ResponseError", "Redis' log"),
    ],
)  # fmt: skip
def test_a_reply_of_redis_is_known_by_its_first_word(reply: str, kind: Kind, name: str, advice: str) -> None:
    error = BaseParser.parse_error(reply)  # type: ignore[no-untyped-call]
    found = classify(error)
    assert (found.kind, name_of(error)) == (kind, name)
    if "max number" not in reply:
        assert advice in found.advice
    assert found.service == "Redis"
    assert passes(error) is (kind is Kind.PASSING)


@pytest.mark.parametrize(
    ("names", "kind", "scope"),
    [
        (("AuthenticationFailedError", "SaslAuthenticationFailedError"), Kind.PERMANENT, Scope.PROCESS),
        (("TopicAuthorizationFailedError", "TopicAuthorizationFailedError"), Kind.PERMANENT, Scope.ENTITY),
        (
            ("TransactionalIdAuthorizationFailed", "TransactionalIdAuthorizationFailedError"),
            Kind.PERMANENT,
            Scope.ENTITY,
        ),
        (("GroupAuthorizationFailedError", "GroupAuthorizationFailedError"), Kind.PERMANENT, Scope.PROCESS),
        (("UnsupportedVersionError", "UnsupportedVersionError"), Kind.PERMANENT, Scope.PROCESS),
        (("PolicyViolationError", "PolicyViolationError"), Kind.PERMANENT, Scope.ENTITY),
        (("OffsetMetadataTooLargeError", "OffsetMetadataTooLargeError"), Kind.PERMANENT, Scope.PROCESS),
        (("NotEnoughReplicasError", "NotEnoughReplicasError"), Kind.PASSING, Scope.PROCESS),
        (("OutOfOrderSequenceNumber", "OutOfOrderSequenceNumberError"), Kind.PASSING, Scope.PROCESS),
        (("MessageSizeTooLargeError", "MessageSizeTooLargeError"), Kind.RECORD, Scope.PROCESS),
        (("CorruptRecordException", "CorruptRecordError"), Kind.RECORD, Scope.PROCESS),
        (("KafkaError", "KafkaError"), Kind.PASSING, Scope.PROCESS),
    ],
)
def test_both_kafka_libraries_errors_are_of_one_row(names: tuple[str, str], kind: Kind, scope: Scope) -> None:
    rows = [classify(getattr(library.errors, name)()) for library, name in zip((aiokafka, kafka), names, strict=True)]
    assert rows[0] == rows[1]
    assert (rows[0].kind, rows[0].scope) == (kind, scope)


def test_what_an_authorization_error_names_is_said() -> None:
    error = aiokafka.errors.TopicAuthorizationFailedError({"orders.clean", "customers.clean"})
    assert classify(error).text.startswith("the user has no right on a topic (customers.clean, orders.clean); grant READ")


@pytest.mark.parametrize("library", [redis.exceptions.ConnectionError, aiokafka.errors.KafkaConnectionError])
def test_a_certificate_that_cannot_be_verified_is_permanent(library: type[Exception]) -> None:
    error = library("cannot connect")
    error.__cause__ = ssl.SSLCertVerificationError("self-signed certificate")
    assert classify(error).permanent
    assert "certificate" in classify(error).meaning


@pytest.mark.parametrize("library", [redis.exceptions.ConnectionError, aiokafka.errors.KafkaConnectionError])
def test_a_server_without_tls_is_permanent(library: type[Exception]) -> None:
    error = library("cannot connect")
    error.__cause__ = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")
    error.__cause__.reason = "WRONG_VERSION_NUMBER"
    assert "does not speak TLS" in classify(error).meaning


def test_an_error_for_people_is_permanent_and_says_itself_what_to_do() -> None:
    assert classify(SettingsError("HEADRACE_X: correct it")).text == "HEADRACE_X: correct it"


def test_a_record_that_a_topic_takes_in_no_form_stops_its_entity() -> None:
    found = classify(RecordRefused("topic orders.dlq takes the record orders:0:1 in no form"))
    assert (found.permanent, found.scope) == (True, Scope.ENTITY)
    assert found.scope is Scope.ENTITY


class Marked(redis.exceptions.ConnectionError):
    permanent = True


def test_an_error_of_the_connection_may_say_that_it_is_permanent() -> None:
    assert classify(Marked("this Redis evicts keys; set noeviction")).text == "this Redis evicts keys; set noeviction"
    assert classify(Marked()).permanent


@pytest.mark.parametrize(
    ("service", "status", "kind"),
    [
        (SOURCE, 429, Kind.PASSING), (SOURCE, 503, Kind.PASSING), (SOURCE, 304, Kind.PERMANENT), (SOURCE, 401, Kind.PERMANENT),
        (MODEL, 408, Kind.PASSING), (MODEL, 500, Kind.PASSING), (MODEL, 302, Kind.PERMANENT), (MODEL, 422, Kind.PERMANENT),
    ],
)  # fmt: skip
def test_a_status_is_known_by_itself_or_its_class(service: str, status: int, kind: Kind) -> None:
    assert http_failure(service, status).kind is kind


def test_an_error_has_one_row_and_each_row_says_what_it_means_and_what_to_do() -> None:
    names = [(row.service, name) for row in FAILURES for name in row.errors]
    assert len(names) == len(set(names))
    assert all(row.meaning and row.advice and (row.errors or row.phrases) for row in FAILURES)
