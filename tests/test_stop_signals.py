"""A sender that waits stops when a signal comes, at whatever moment it comes."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from headrace import sending
from headrace.sending import Stop

#: Signals that come from outside while a wait begins, lasts or ends. With an Event in the place of the queue it hangs at once.
ROUNDS = """
import random, signal
from headrace import sending
from headrace.sending import Stop

for _ in range(3000):
    stop = Stop()
    with stop.listening():
        signal.signal(signal.SIGALRM, signal.getsignal(signal.SIGTERM))
        signal.setitimer(signal.ITIMER_REAL, random.uniform(0.00001, 0.002))
        while not stop:
            stop.wait(0.00001)
print("done")
"""


def test_a_signal_in_the_middle_of_a_wait_never_hangs() -> None:
    done = subprocess.run([sys.executable, "-c", ROUNDS], capture_output=True, text=True, timeout=60)
    assert done.stdout == "done\n", done.stderr


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
        monkeypatch.setattr(sending, "ONE_SIGNAL", 0.0)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)


def test_a_signal_that_comes_twice_at_once_is_one() -> None:
    stop = Stop()
    with stop.listening():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
    assert stop.exit_code == 128 + signal.SIGTERM
