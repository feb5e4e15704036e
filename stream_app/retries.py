"""Retry what may succeed later: the waits of every retry in one table, and the worker's way of giving up, over tenacity."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NoReturn, Protocol, TypeVar

import tenacity

from stream_app.errors import HeadraceError

T = TypeVar("T")
log = logging.getLogger("headrace.worker")


class GaveUp(Exception):
    """Kafka or Redis stayed away longer than ``give_up_after``."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Waits of one kind of retry.

    Attributes:
        retried: what is retried, and after which failures.
        first: seconds before the second attempt; each further wait is ``factor`` times as long.
        longest: no wait takes more seconds than this.
        attempts: number of attempts; ``None``: until ``give_up_after`` seconds are over.
        jitter: up to this many random seconds are added, so that many clients do not come back at once.
    """

    retried: str
    first: float
    longest: float
    factor: float = 2.0
    attempts: int | None = None
    jitter: float = 0.0

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
    """Where a retry reports to; ``worker.health.Health`` is one."""

    def trouble(self, text: str) -> None:
        """Note what does not work at the moment."""

    def recovered(self) -> bool:
        """Note that it works again; true if there was trouble."""


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
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def __call__(self, what: str, action: Callable[[], Awaitable[T]]) -> T:
        """Return what ``action`` returns; ``what`` completes "could not …" in messages.

        Raises:
            GaveUp: it still fails after ``give_up_after`` seconds.
        """
        began = time.monotonic()
        try:
            # Nearly every call succeeds at once, and takes none of the machinery below.
            result = await action()
        except self.on as error:
            result = await self._again(what, action, error, began)
        if self.report is not None and self.report.recovered():
            log.log(self.level, "%srecovered", self._begin)
        return result

    @property
    def _begin(self) -> str:
        return f"{self.subject}: " if self.subject else ""

    async def _again(self, what: str, action: Callable[[], Awaitable[T]], first: BaseException, began: float) -> T:
        """Repeat an action whose first attempt, at ``began``, has failed with ``first``."""
        failure: BaseException | None = first

        async def attempt() -> T:
            nonlocal failure
            if failure is not None:
                error, failure = failure, None
                raise error
            return await action()

        def failed(state: tenacity.RetryCallState) -> None:
            if self.report is not None:
                self.report.trouble(f"could not {what}: {_name(state)}")

        def again(state: tenacity.RetryCallState) -> None:
            log.log(self.level, "%scould not %s (%s); again in %.1f s", self._begin, what, _name(state), state.upcoming_sleep)

        def give_up(state: tenacity.RetryCallState) -> NoReturn:
            waited = time.monotonic() - began
            raise GaveUp(f"{self._begin}could not {what} for {waited:.0f} s ({_name(state)}); {self.cure}") from _error(state)

        attempts = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(self.on),
            stop=lambda _state: time.monotonic() - began >= self.give_up_after,
            wait=self.policy.wait,
            sleep=self.sleep,
            after=failed,
            before_sleep=again,
            retry_error_callback=give_up,
        )
        result: T = await attempts(attempt)
        return result


def _error(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None


def _name(state: tenacity.RetryCallState) -> str:
    error = _error(state)
    # The message of an error of ours says what to do.
    return str(error) if isinstance(error, HeadraceError) else type(error).__name__


def retrying(
    name: str,
    *,
    on: tuple[type[BaseException], ...],
    give_up_after: float,
    subject: str = "",
    cure: str = "",
    report: Report | None = None,
    level: int = logging.WARNING,
) -> Retry:
    """Return what repeats actions by the policy ``name``.

    Args:
        on: errors after which an action is repeated; all others are raised at once.
        give_up_after: seconds after which the next failure is the last.
        subject: the entity (or part of the worker) that messages begin with.
        cure: what messages end with: the questions to ask, and what to do.
        report: gets every failure and the recovery.
        level: of the log messages.
    """
    return Retry(POLICIES[name], on, give_up_after, subject, cure, report, level)
