"""A worker that says where it is: ``watched.py [worker options…]``; on SIGUSR2 it writes its threads and tasks to stderr."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import signal
import sys
from collections.abc import Iterator
from typing import Any


def say_where_on_signal() -> None:
    """Write every thread's stack, and the frames of every unfinished task, on SIGUSR2."""
    signal.signal(signal.SIGUSR2, lambda *_: _say_where())


def _say_where() -> None:
    faulthandler.dump_traceback(sys.stderr, all_threads=True)
    for task in [one for one in gc.get_objects() if isinstance(one, asyncio.Task) and not one.done()]:
        stack = " < ".join(reversed(list(_frames(task.get_coro()))))
        sys.stderr.write(f"task {task.get_name()}: {stack}\n")
    sys.stderr.flush()


def _frames(awaited: Any) -> Iterator[str]:
    """File, line and function of what a coroutine waits in, from the outside in."""
    while awaited is not None:
        frame = next((f for name in ("cr_frame", "gi_frame", "ag_frame") if (f := getattr(awaited, name, None))), None)
        if frame is not None:
            yield f"{frame.f_code.co_filename.rsplit('/', 1)[-1]}:{frame.f_lineno} {frame.f_code.co_name}"
        awaited = next((w for name in ("cr_await", "gi_yieldfrom", "ag_await") if (w := getattr(awaited, name, None))), None)


if __name__ == "__main__":
    from headrace.cli.main import cli

    say_where_on_signal()
    cli(["worker", *sys.argv[1:]], prog_name="headrace")
