"""Senders and workers stop when a signal comes, at whatever moment it comes."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from headrace import interrupts, sending
from headrace.sending import Stop
from stream_app.settings import Settings
from stream_app.worker.process import end
from tests.support.stream import await_workers, make_topics, scripted_worker

#: A worker that gets a signal in the middle of an import that takes any exception for a missing module.
INTERRUPTED = """
import os, signal, sys

class Late:
    def find_spec(self, name, path=None, target=None):
        if name == "stream_app.worker.run":
            try:
                os.kill(os.getpid(), signal.SIGTERM)
                signal.pause()
            except BaseException:
                pass

sys.meta_path.insert(0, Late())
from headrace.cli import cli
cli(["worker"])
"""

#: A worker with a task that goes on when it is cancelled for the first time.
DEAF = """
import asyncio
from stream_app.worker import app

async def deaf(*_):
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        await asyncio.sleep(3600)

app.keep_current = deaf
from headrace.cli import cli
cli(["worker"])
"""

#: Signals that come from outside while a wait begins, lasts or ends. With an Event in the place of the pipe it hangs at once.
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


@pytest.mark.timeout(60)
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


def test_a_signal_that_came_before_the_command_listened_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "_received", [])
    with contextlib.suppress(KeyboardInterrupt):  # as some library does
        interrupts._interrupt(signal.SIGTERM, None)
    stop = Stop()
    with stop.listening():
        began = time.monotonic()
        stop.wait(30)
        assert time.monotonic() - began < 5
    assert stop.exit_code == 128 + signal.SIGTERM


@pytest.mark.stack
def test_a_worker_that_is_stopped_in_the_middle_of_an_import_stops(settings: Settings, tmp_path: Path) -> None:
    make_topics(settings)
    with scripted_worker(settings, tmp_path, INTERRUPTED) as worker:
        assert worker.process.wait(30) == 128 + signal.SIGTERM, worker.output()


@pytest.mark.stack
def test_a_worker_stops_although_a_cancellation_was_swallowed(settings: Settings, tmp_path: Path) -> None:
    make_topics(settings)
    with scripted_worker(settings, tmp_path, DEAF) as worker:
        await_workers(settings, [worker])
        assert worker.terminate(20) == 0, worker.output()


def test_tasks_that_go_on_are_cancelled_again() -> None:
    async def deaf() -> None:
        for _ in range(3):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)

    async def failing() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            raise ValueError

    async def run() -> list[bool]:
        tasks = [asyncio.create_task(deaf()), asyncio.create_task(failing()), asyncio.create_task(asyncio.sleep(0))]
        await asyncio.sleep(0.01)
        await asyncio.wait_for(end(tasks, every=0.01), 10)
        await end([])
        return [task.done() for task in tasks]

    assert asyncio.run(run()) == [True, True, True]
