"""Senders stop when a signal comes, at whatever moment it comes."""

from __future__ import annotations

import contextlib
import signal
import time

import pytest

from headrace import interrupts
from headrace.interrupts import Stop

#: Measured by a thread, because these tests use the signal with which a test is usually ended.
pytestmark = pytest.mark.timeout(120, method="thread")


@pytest.mark.parametrize("seconds", [1e-9, 0.0, -1.0])
def test_a_wait_of_hardly_any_time_ends(seconds: float) -> None:
    stop = Stop()
    with stop.listening():
        for _ in range(20_000):
            stop.wait(seconds)
    for _ in range(20_000):
        Stop().wait(seconds)


def test_a_signal_that_somebody_else_takes_shortens_one_wait_at_most() -> None:
    previous = signal.signal(signal.SIGUSR1, lambda *_: None)
    stop = Stop()
    try:
        with stop.listening():
            signal.raise_signal(signal.SIGUSR1)
            stop.wait(0.05)
            began = time.monotonic()
            stop.wait(0.2)
            assert time.monotonic() - began >= 0.2
    finally:
        signal.signal(signal.SIGUSR1, previous)


def test_a_signal_ends_a_long_wait_and_those_that_follow_it() -> None:
    stop = Stop()
    with stop.listening():
        previous = signal.setitimer(signal.ITIMER_REAL, 0)
        assert previous == (0.0, 0.0)
        signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            stop.wait(30)
            stop.wait(30)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
    assert stop
    assert stop.exit_code == 128 + signal.SIGINT


def test_a_second_signal_ends_the_process_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = Stop()
    with stop.listening():
        signal.raise_signal(signal.SIGTERM)
        monkeypatch.setattr(interrupts, "ONE_SIGNAL", 0.0)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)


def test_a_signal_that_comes_twice_at_once_is_one() -> None:
    stop = Stop()
    with stop.listening():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
    assert stop.exit_code == 128 + signal.SIGTERM


def test_a_signal_that_came_before_the_command_listened_is_not_lost() -> None:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    interrupts.listen()
    try:
        with contextlib.suppress(KeyboardInterrupt):  # as some library does
            signal.raise_signal(signal.SIGTERM)
        stop = Stop()
        with stop.listening():
            began = time.monotonic()
            stop.wait(30)
            assert time.monotonic() - began < 5
    finally:
        interrupts.listen()  # forgets the signal
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert stop.exit_code == 128 + signal.SIGTERM
