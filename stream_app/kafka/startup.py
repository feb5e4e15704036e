"""Wait for Kafka before a process begins its work: the retry of calls that are made once, at the start."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import tenacity

from stream_app.errors import KafkaUnavailable
from stream_app.retries import POLICIES

T = TypeVar("T")
#: Seconds that one attempt waits for a broker: an operator sees soon that Kafka is away.
_ATTEMPT_SECONDS = 5.0


def one_attempt(seconds: float) -> float:
    """Return how many of ``seconds`` one attempt may take to connect."""
    return min(_ATTEMPT_SECONDS, max(0.5, seconds / 2))


def until_available(action: Callable[[], T], seconds: float, say: Callable[[str], None] | None = None) -> T:
    """Return what ``action`` returns; repeat it by the policy ``step`` while Kafka is unavailable. For the main thread.

    A signal that raises ends the wait at once.

    Args:
        action: connects anew each time, so that it reaches another broker than the one that has failed.
        seconds: after these, the next failure is the last.
        say: gets a line for each failure that is followed by another attempt.

    Raises:
        KafkaUnavailable: it still fails after ``seconds``; the message says for how long.
    """
    policy, began = POLICIES["step"], time.monotonic()

    def left() -> float:
        return max(0.0, began + seconds - time.monotonic())

    def again(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        if say is not None:
            say(f"{error}; again in {state.upcoming_sleep:.1f} s, for {left():.0f} s more")

    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(KafkaUnavailable),
        stop=lambda _: left() <= 0.0,
        # The last attempt comes at the end of the time, not before it.
        wait=lambda state: min(policy.wait(state), left()),
        before_sleep=again,
        reraise=True,
    )
    try:
        return attempts(action)
    except KafkaUnavailable as error:
        raise KafkaUnavailable(f"{error} (tried for {time.monotonic() - began:.0f} s)") from None
