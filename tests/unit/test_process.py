"""Tasks that swallow a cancellation are cancelled again; the log of client libraries stays readable."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
from collections.abc import Iterator

import pytest

from stream_app.process import ClientLog, cancel_all


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
        await asyncio.wait_for(cancel_all(tasks, every=0.01), 10)
        await cancel_all([])
        return [task.done() for task in tasks]

    assert asyncio.run(run()) == [True, True, True]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """The text that a handler with the filter writes."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.addFilter(ClientLog())
    logging.getLogger().addHandler(handler)
    yield text
    logging.getLogger().removeHandler(handler)


def say(logger: str, error: Exception) -> None:
    try:
        raise error
    except type(error):
        logging.getLogger(logger).exception("%s: reading", "socket")


@pytest.mark.parametrize("logger", ["kafka.net.transport", "aiokafka.conn", "faust", "mode.worker"])
def test_a_broker_that_is_away_is_logged_without_a_traceback_and_once(log: io.StringIO, logger: str) -> None:
    for _ in range(3):
        say(logger, ConnectionResetError(104, "reset"))
    assert log.getvalue() == "socket: reading (ConnectionResetError)\n"


@pytest.mark.parametrize(("logger", "error"), [("faust", KeyError("a")), ("headrace.worker", ConnectionResetError())])
def test_an_error_of_the_code_keeps_its_traceback(log: io.StringIO, logger: str, error: Exception) -> None:
    say(logger, error)
    assert "Traceback" in log.getvalue()
