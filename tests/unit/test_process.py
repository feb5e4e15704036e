"""Tasks that swallow a cancellation are cancelled again."""

from __future__ import annotations

import asyncio
import contextlib

from stream_app.process import cancel_all


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
