"""Workers stop when a signal comes, at whatever moment it comes."""

from __future__ import annotations

import signal
from pathlib import Path

from stream_app.settings import Settings
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
from headrace.cli.main import cli
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
from headrace.cli.main import cli
cli(["worker"])
"""


def test_a_worker_that_is_stopped_in_the_middle_of_an_import_stops(settings: Settings, tmp_path: Path) -> None:
    make_topics(settings)
    with scripted_worker(settings, tmp_path, INTERRUPTED) as worker:
        assert worker.process.wait(30) == 128 + signal.SIGTERM, worker.output()


def test_a_worker_stops_although_a_cancellation_was_swallowed(settings: Settings, tmp_path: Path) -> None:
    make_topics(settings)
    with scripted_worker(settings, tmp_path, DEAF) as worker:
        await_workers(settings, [worker])
        assert worker.terminate(20) == 0, worker.output()
