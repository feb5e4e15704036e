"""The row of an error. Errors are known by name, so that this module needs no client library."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from stream_app.errors import HeadraceError
from stream_app.failures.model import Failure, Kind, Scope
from stream_app.failures.table import FAILURES, KAFKA, REDIS

_BY_NAME = {(row.service, name): row for row in FAILURES for name in row.errors}
#: aiokafka and kafka-python name the same error with and without "Error".
_BY_NAME |= {(KAFKA, f"{name}Error"): row for row in FAILURES if row.service == KAFKA for name in row.errors}
_PHRASES = [(phrase, row) for row in FAILURES for phrase in row.phrases]
#: An error of no row.
_UNKNOWN = Failure("", Kind.PASSING, "an unexpected error", "if it lasts, see the log")
#: The first word of replies that have none of their own.
_PLAIN_REPLY = "ERR"
#: Errors whose arguments are names of topics, a group or a transactional id.
_NAMING = frozenset(
    {
        "TopicAuthorizationFailedError",
        "GroupAuthorizationFailedError",
        "TransactionalIdAuthorizationFailed",
        "UnknownTopicOrPartitionError",
    }
)
#: Permanent causes of a failed connection, by class or ``ssl.SSLError.reason``.
_TLS = frozenset({"SSLCertVerificationError", "CertificateError", "WRONG_VERSION_NUMBER"})
_MOST_CAUSES = 8


def classify(error: BaseException) -> Failure:
    """Return the row of an error; a passing one where no row knows it.

    A ``HeadraceError`` is permanent, and so is any error with a true attribute ``permanent``: their text says what to do, and
    their attribute ``scope``, if any, what stops. An error with a true attribute ``passing`` passes; its text says when.
    """
    if getattr(error, "passing", False):
        return Failure("", Kind.PASSING, str(error), "")
    if isinstance(error, HeadraceError) or getattr(error, "permanent", False):
        return Failure("", Kind.PERMANENT, str(error), "", scope=Scope(getattr(error, "scope", Scope.PROCESS)))
    service = _service(error)
    if service == REDIS and (found := _refusal(error)) is not None:
        return found
    if (found := _tls(error, service)) is not None:
        return found
    for one in type(error).__mro__:
        found = _BY_NAME.get((service, one.__name__))
        if found is not None:
            return found.about(_names(error)) if type(error).__name__ in _NAMING else found
    return replace(_UNKNOWN, service=service)


def passes(error: BaseException) -> bool:
    """True if another attempt may succeed soon."""
    return classify(error).kind is Kind.PASSING


def name_of(error: BaseException) -> str:
    """Return how messages call an error: by the first word of Redis' reply, else by its class."""
    return (_service(error) == REDIS and _first_word(error)) or type(error).__name__


def reply(word: str) -> Failure:
    """Return the row of a reply of Redis, by its first word."""
    return _BY_NAME[REDIS, word]


def http_failure(service: str, status: int) -> Failure:
    """Return the row of an HTTP status, of ``table.SOURCE`` or ``table.MODEL``."""
    found = _BY_NAME.get((service, str(status)))
    return _BY_NAME[service, f"{min(5, max(3, status // 100))}xx"] if found is None else found


def _service(error: BaseException) -> str:
    """The service whose client library raised an error; Kafka where it is one of Python's own."""
    for one in type(error).__mro__:
        library = one.__module__.partition(".")[0]
        if library == "redis":
            return REDIS
    return KAFKA


def _refusal(error: BaseException) -> Failure | None:
    """The row of what Redis replied."""
    found = _BY_NAME.get((REDIS, _first_word(error)))
    if found is not None:
        return found
    text = str(error)
    return next((row for phrase, row in _PHRASES if phrase in text), None)


def _first_word(error: BaseException) -> str:
    """The word that Redis' reply begins with, as ``OOM``; empty where the table does not have it."""
    given = getattr(error, "status_code", None)  # redis-py takes the words that it knows away from the text
    if isinstance(given, str) and given != _PLAIN_REPLY:
        return given
    # Redis 6 words the refusal of a script's command "ERR Error running script (call to f_…): … -OOM command not allowed".
    words = (word.strip("-@:,'\"()") for word in str(error).split())
    return next((word for word in words if word.isupper() and (REDIS, word) in _BY_NAME), "")


def _tls(error: BaseException, service: str) -> Failure | None:
    """The row of a TLS connection that will never come to be."""
    for cause in _causes(error):
        for name in (getattr(cause, "reason", ""), *(one.__name__ for one in type(cause).__mro__)):
            if name in _TLS:
                return _BY_NAME[service, name]
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__ or cause.__context__


def _names(error: BaseException) -> str:
    """Names that an error mentions: topics, a group or a transactional id."""
    names: list[str] = []
    for argument in error.args:
        names += sorted(map(str, argument)) if isinstance(argument, set | frozenset | list | tuple) else [str(argument)]
    return ", ".join(names)
