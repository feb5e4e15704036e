"""Retries wait longer and longer, report trouble and recovery, and give up."""

from __future__ import annotations

import asyncio
import dataclasses
import logging

import pytest
import tenacity
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError

from stream_app.retries import PART, POLICIES, GaveUp, Policy, Refused, Retry, retrying


class Reported:
    """Remembers what a retry reports."""

    def __init__(self) -> None:
        self.open: dict[object, str] = {}
        self.all: list[tuple[str, str, bool]] = []

    def trouble(self, task: object, subject: str, text: str, *, stopped: bool = False) -> None:
        self.open[task] = text
        self.all.append((subject, text, stopped))

    def recovered(self, task: object) -> bool:
        return self.open.pop(task, None) is not None


class Failing:
    """An action that fails some times with an error before it returns "done"."""

    def __init__(self, times: int, error: type[BaseException] = ConnectionError) -> None:
        self.times, self.error, self.calls = times, error, 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.times:
            raise self.error
        return "done"


NO_BROKER = "no broker answers; start Kafka, or set HEADRACE_KAFKA to its address"


def with_waits(report: Reported | None = None, give_up_after: float = 300.0) -> tuple[Retry, list[float]]:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(round(seconds, 3))

    retry = retrying(
        "step",
        on=(ConnectionError, KafkaError),
        give_up_after=give_up_after,
        subject="orders",
        cure="Is it up?",
        report=report,
        stops=True,
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
        asyncio.run(retry("deliver", Failing(2)))
    assert reported.all == [("orders", f"could not deliver: ConnectionError: {NO_BROKER}", False)] * 2
    assert not reported.open
    assert caplog.messages == [
        f"orders: could not deliver (ConnectionError: {NO_BROKER}); again in 0.1 s",
        "orders: could not deliver (ConnectionError); again in 0.2 s",
        "orders: recovered (deliver)",
    ]


def test_success_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    retry, waits = with_waits(Reported())
    assert asyncio.run(retry("deliver", Failing(0))) == "done"
    assert not caplog.messages
    assert not waits


def test_the_last_failure_is_given_up_with_the_cure_and_stays_reported() -> None:
    reported = Reported()
    retry, _ = with_waits(reported, give_up_after=0.0)
    with pytest.raises(
        GaveUp, match=r"^orders: could not deliver for 0 s \(ConnectionError: no.*\); start .*\. Is it up\?$"
    ) as raised:
        asyncio.run(retry("deliver", Failing(1)))
    assert isinstance(raised.value.__cause__, ConnectionError)
    assert list(reported.open.values()) == [f"could not deliver: ConnectionError: {NO_BROKER}"]


@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError])
def test_other_errors_are_raised_at_once(error: type[BaseException]) -> None:
    reported = Reported()
    retry, waits = with_waits(reported)
    action = Failing(1, error)
    with pytest.raises(error):
        asyncio.run(retry("deliver", action))
    assert (action.calls, waits, reported.all) == (1, [], [])


def test_a_permanent_error_ends_the_action_at_once_with_what_to_do() -> None:
    reported = Reported()
    retry, waits = with_waits(reported)
    action = Failing(1, GroupAuthorizationFailedError)
    with pytest.raises(
        Refused, match=r"^orders: could not deliver \(GroupAuthorizationFailedError: the user may not .*; grant"
    ):
        asyncio.run(retry("deliver", action))
    assert (action.calls, waits) == (1, [])


def test_a_permanent_error_of_an_entity_stops_it_until_the_cause_is_cured(caplog: pytest.LogCaptureFixture) -> None:
    reported = Reported()
    retry, waits = with_waits(reported, give_up_after=0.0)
    PART.set("[3]")
    with caplog.at_level(logging.WARNING, "headrace.worker"):
        assert asyncio.run(retry("deliver", Failing(5, TopicAuthorizationFailedError))) == "done"
    assert waits == [5.0, 10.0, 20.0, 30.0, 30.0]
    assert {(subject, stopped) for subject, _, stopped in reported.all} == {("orders[3]", True)}
    assert not reported.open
    assert [message.partition(" (")[0] for message in caplog.messages] == [
        "orders[3]: stopped, could not deliver",
        "orders[3]: recovered",
    ]


def test_what_stops_no_entity_alone_ends_the_process() -> None:
    retry, waits = with_waits()
    with pytest.raises(Refused, match="grant READ"):
        asyncio.run(dataclasses.replace(retry, stops=False)("deliver", Failing(1, TopicAuthorizationFailedError)))
    assert not waits


def test_an_action_that_ends_with_another_error_is_no_open_problem_any_more() -> None:
    reported = Reported()
    retry, _ = with_waits(reported)
    errors = iter([ConnectionError(), ValueError()])

    async def action() -> None:
        raise next(errors)

    with pytest.raises(ValueError):  # noqa: PT011
        asyncio.run(retry("deliver", action))
    assert len(reported.all) == 1
    assert not reported.open


def test_the_success_of_one_call_does_not_clear_the_trouble_of_another() -> None:
    reported = Reported()
    retry, _ = with_waits(reported, give_up_after=0.0)

    async def both() -> None:
        with pytest.raises(GaveUp):
            await retry("deliver", Failing(1))
        await retry("read the lags", Failing(0))

    asyncio.run(both())
    assert len(reported.open) == 1


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
