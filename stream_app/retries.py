"""Retry what may succeed later: the waits of every retry in one table, and the worker's way of giving up, over tenacity.

``failures`` says which errors pass. A permanent one is not retried: it ends the process, or stops one entity, which is tried
again slowly.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import NoReturn, Protocol, TypeVar

import tenacity

from stream_app.failures import Failure, Scope, classify, name_of

T = TypeVar("T")
log = logging.getLogger("headrace.worker")
#: The part of its subject that a task works on, as ``[3]`` for a partition: messages name it.
PART: ContextVar[str] = ContextVar("part", default="")


class GaveUp(Exception):
    """Kafka or Redis stayed away longer than ``give_up_after``."""


class Refused(GaveUp):
    """A service refuses for good; the message says what to do. Nothing was tried again."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Waits of one kind of retry.

    Attributes:
        retried: what is retried, and after which failures.
        first: seconds before the second attempt; each further wait is ``factor`` times as long.
        longest: no wait takes more seconds than this.
        attempts: number of attempts; ``None``: until ``give_up_after`` seconds are over.
        jitter: up to this many random seconds are added, so that many clients do not come back at once.
        endless: it is repeated until it succeeds.
    """

    retried: str
    first: float
    longest: float
    factor: float = 2.0
    attempts: int | None = None
    jitter: float = 0.0
    endless: bool = False

    @property
    def wait(self) -> Callable[[tenacity.RetryCallState], float]:
        """The waits as tenacity takes them."""
        return tenacity.wait_exponential_jitter(
            multiplier=self.first, max=self.longest, exp_base=self.factor, jitter=self.jitter
        )

    @property
    def stop(self) -> tenacity.stop.stop_base:
        """The limit on attempts as tenacity takes it."""
        return tenacity.stop_never if self.attempts is None else tenacity.stop_after_attempt(self.attempts)


#: Name → policy of everything in Headrace that is retried.
POLICIES: Mapping[str, Policy] = MappingProxyType(
    {
        "step": Policy("A step of a batch, or another call of the worker: Kafka or Redis is unavailable", 0.1, 5.0),
        "stopped": Policy(
            "A step of an entity that a permanent error has stopped; the other entities go on", 5.0, 30.0, endless=True
        ),
        "producer": Policy("The worker's connection as a producer: no broker answers", 0.2, 5.0),
        "group": Policy("The worker's connection as a consumer: no broker answers; the worker gives up by `step`", 1.0, 1.0),
        "notification": Policy("A notification on one channel: the service does not take it", 0.5, 2.0, 4.0, attempts=3),
        "source": Policy(
            "A page of an HTTP source: no answer, status 429 or 5xx; `Retry-After` is respected up to the longest wait",
            0.5, 60.0, attempts=6, jitter=0.5,
        ),
        "model": Policy("A question to the language model: no answer, status 408, 409, 425, 429 or 5xx", 0.5, 8.0, attempts=3),
    }
)  # fmt: skip


class Report(Protocol):
    """Where retries report to; ``worker.health.Health`` is one. ``task`` identifies the call that fails."""

    def trouble(self, task: object, subject: str, text: str, *, stopped: bool = False) -> None:
        """Note what does not work at the moment; ``stopped``: until somebody acts."""

    def recovered(self, task: object) -> bool:
        """Note that a task works again, or has ended; true if there was trouble with it."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Repeats an action while its service is unavailable; made by ``retrying``, called with each action."""

    policy: Policy
    on: tuple[type[BaseException], ...]
    give_up_after: float
    subject: str
    cure: str
    report: Report | None = None
    level: int = logging.WARNING
    stops: bool = False
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def __call__(self, what: str, action: Callable[[], Awaitable[T]]) -> T:
        """Return what ``action`` returns; ``what`` completes "could not …" in messages.

        Raises:
            Refused: it fails with a permanent error.
            GaveUp: it still fails after ``give_up_after`` seconds.
        """
        began = time.monotonic()
        try:
            # Nearly every call succeeds at once, and takes none of the machinery below.
            return await action()
        except self.on as error:
            return await _Repetition(self, what, began).run(action, error)


class _Repetition:
    """The attempts of one action after its first one has failed."""

    def __init__(self, retry: Retry, what: str, began: float) -> None:
        self._retry, self._what, self._since = retry, what, began
        self._begin = f"{retry.subject}{PART.get()}: " if retry.subject else ""
        self._stops = 0
        self._said: set[str] = set()

    async def run(self, action: Callable[[], Awaitable[T]], first: BaseException) -> T:
        """Repeat the action, whose first attempt failed with ``first``."""
        retry, failure = self._retry, first
        pending: BaseException | None = failure

        async def attempt() -> T:
            nonlocal pending
            if pending is not None:
                error, pending = pending, None
                raise error
            return await action()

        attempts = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(retry.on),
            stop=self._ends,
            wait=self._wait,
            sleep=retry.sleep,
            after=self._failed,
            before_sleep=self._again,
            retry_error_callback=self._give_up,
        )
        try:
            result: T = await attempts(attempt)
        except GaveUp:
            raise  # it stays reported
        except BaseException:
            self._recovered()
            raise
        if self._recovered():
            log.log(retry.level, "%srecovered (%s)", self._begin, self._what)
        return result

    def _recovered(self) -> bool:
        return self._retry.report is not None and self._retry.report.recovered(self)

    def _is_stopped(self, failure: Failure) -> bool:
        return failure.permanent and failure.scope is Scope.ENTITY and self._retry.stops

    def _failed(self, state: tenacity.RetryCallState) -> None:
        failure, stopped = _failure(state), False
        if self._is_stopped(failure):
            self._stops += 1
            stopped = True
            self._since = time.monotonic()
        else:
            self._stops = 0
        if self._retry.report is not None:
            text = f"could not {self._what}: {_name(state)}: {failure.text}"
            self._retry.report.trouble(self, f"{self._retry.subject}{PART.get()}", text, stopped=stopped)

    def _ends(self, state: tenacity.RetryCallState) -> bool:
        failure = _failure(state)
        if failure.permanent:
            return not self._is_stopped(failure)
        return time.monotonic() - self._since >= self._retry.give_up_after

    def _wait(self, state: tenacity.RetryCallState) -> float:
        if not self._stops:
            return self._retry.policy.wait(state)
        policy = POLICIES["stopped"]
        return min(policy.first * policy.factor ** (self._stops - 1), policy.longest)

    def _again(self, state: tenacity.RetryCallState) -> None:
        failure, name = _failure(state), _name(state)
        new = name not in self._said
        self._said.add(name)
        if not self._stops:
            shown = f"{name}: {failure.text}" if new else name
            log.log(
                self._retry.level, "%scould not %s (%s); again in %.1f s", self._begin, self._what, shown, state.upcoming_sleep
            )
        elif new:
            longest = POLICIES["stopped"].longest
            log.error(
                "%sstopped, could not %s (%s: %s); tried again every %.0f s, the other entities go on",
                self._begin, self._what, name, failure.text, longest,
            )  # fmt: skip

    def _give_up(self, state: tenacity.RetryCallState) -> NoReturn:
        failure, name = _failure(state), _name(state)
        cause = f"{name}: {failure.meaning}" + (f" ({failure.said})" if failure.said else "")
        advice = ". ".join(text for text in (failure.advice, self._retry.cure) if text)
        if failure.permanent:
            raise Refused(f"{self._begin}could not {self._what} ({cause}); {advice}") from _error(state)
        waited = time.monotonic() - self._since
        raise GaveUp(f"{self._begin}could not {self._what} for {waited:.0f} s ({cause}); {advice}") from _error(state)


def _error(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None


def _failure(state: tenacity.RetryCallState) -> Failure:
    return classify(_error(state) or Exception())


def _name(state: tenacity.RetryCallState) -> str:
    return name_of(_error(state) or Exception())


def retrying(
    name: str,
    *,
    on: tuple[type[BaseException], ...],
    give_up_after: float,
    subject: str = "",
    cure: str = "",
    report: Report | None = None,
    level: int = logging.WARNING,
    stops: bool = False,
) -> Retry:
    """Return what repeats actions by the policy ``name``.

    Args:
        on: errors after which an action is repeated if they pass; all others are raised at once.
        give_up_after: seconds after which the next failure is the last.
        subject: the entity (or part of the worker) that messages begin with.
        cure: what messages end with, after the advice of ``failures``.
        report: gets every failure and the recovery.
        level: of the log messages.
        stops: a permanent error of an entity stops the action, which is then repeated by the policy ``stopped``.
    """
    return Retry(POLICIES[name], on, give_up_after, subject, cure, report, level, stops)
