"""Retries wait longer and longer, report trouble and recovery, and give up."""

from __future__ import annotations

import asyncio
import dataclasses
import logging

import pytest
import tenacity

from stream_app.retries import POLICIES, GaveUp, Policy, Retry, retrying


class Reported:
    """Remembers what a retry reports."""

    def __init__(self) -> None:
        self.error: str | None = None
        self.all: list[str] = []

    def trouble(self, text: str) -> None:
        self.error = text
        self.all.append(text)

    def recovered(self) -> bool:
        trouble, self.error = self.error is not None, None
        return trouble


class Failing:
    """An action that fails some times with an error before it returns "done"."""

    def __init__(self, times: int, error: type[BaseException] = ConnectionError) -> None:
        self.times, self.error, self.calls = times, error, 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.times:
            raise self.error
        return "done"


def with_waits(report: Reported | None = None, give_up_after: float = 300.0) -> tuple[Retry, list[float]]:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(round(seconds, 3))

    retry = retrying(
        "step", on=(ConnectionError,), give_up_after=give_up_after, subject="orders", cure="is it up?", report=report
    )
    return dataclasses.replace(retry, sleep=sleep), waits


def test_waits_double_from_a_tenth_of_a_second_to_five_seconds() -> None:
    retry, waits = with_waits()
    assert asyncio.run(retry("deliver", Failing(8))) == "done"
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_each_call_begins_with_the_first_wait() -> None:
    retry, waits = with_waits()
    asyncio.run(retry("deliver", Failing(2)))
    asyncio.run(retry("deliver", Failing(1)))
    assert waits == [0.1, 0.2, 0.1]


def test_trouble_and_recovery_are_reported_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    reported = Reported()
    retry, _ = with_waits(reported)
    with caplog.at_level(logging.WARNING, "headrace.worker"):
        asyncio.run(retry("deliver", Failing(1)))
    assert reported.all == ["could not deliver: ConnectionError"]
    assert reported.error is None
    assert caplog.messages == ["orders: could not deliver (ConnectionError); again in 0.1 s", "orders: recovered"]


def test_success_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    retry, waits = with_waits(Reported())
    assert asyncio.run(retry("deliver", Failing(0))) == "done"
    assert not caplog.messages
    assert not waits


def test_the_last_failure_is_given_up_with_the_cure_and_stays_reported() -> None:
    reported = Reported()
    retry, _ = with_waits(reported, give_up_after=0.0)
    with pytest.raises(GaveUp, match=r"^orders: could not deliver for 0 s \(ConnectionError\); is it up\?$") as raised:
        asyncio.run(retry("deliver", Failing(1)))
    assert isinstance(raised.value.__cause__, ConnectionError)
    assert reported.error == "could not deliver: ConnectionError"


@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError])
def test_other_errors_are_raised_at_once(error: type[BaseException]) -> None:
    reported = Reported()
    retry, waits = with_waits(reported)
    action = Failing(1, error)
    with pytest.raises(error):
        asyncio.run(retry("deliver", action))
    assert (action.calls, waits, reported.all) == (1, [], [])


def test_concurrent_calls_do_not_disturb_each_other() -> None:
    retry, _ = with_waits()

    async def both() -> list[str]:
        return await asyncio.gather(*(retry("deliver", Failing(times)) for times in range(5)))

    assert asyncio.run(both()) == ["done"] * 5


def test_a_lambda_that_returns_a_coroutine_is_an_action() -> None:
    retry, waits = with_waits()
    action = Failing(1)
    assert asyncio.run(retry("deliver", lambda: action())) == "done"  # noqa: PLW0108
    assert waits == [0.1]


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_every_policy_waits_as_its_fields_say(policy: Policy) -> None:
    state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
    first = policy.wait(state)
    assert policy.first <= first <= policy.first + policy.jitter
    state.attempt_number = 100
    assert policy.wait(state) == policy.longest


def test_the_time_of_the_first_attempt_counts() -> None:
    attempts = 0

    async def slow() -> None:
        nonlocal attempts
        attempts += 1
        await asyncio.sleep(0.05)
        raise TimeoutError

    retry = retrying("step", on=(TimeoutError,), give_up_after=0.04)
    with pytest.raises(GaveUp, match="could not answer for"):
        asyncio.run(retry("answer", slow))
    assert attempts == 1
