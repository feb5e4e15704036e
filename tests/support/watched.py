"""A worker that says where it is: ``watched.py [worker options…]``; on SIGUSR2 it writes its threads and tasks to stderr."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import signal
import sys
from collections.abc import Iterator
from typing import Any

from mode.worker import Worker as ModeWorker

from stream_app.kafka.batches.consumer import BatchConsumer


def say_where_on_signal() -> None:
    """Write every thread's stack, and the frames of every unfinished task, on SIGUSR2."""
    signal.signal(signal.SIGUSR2, lambda *_: _say_where())
    setattr(ModeWorker, "_on_sigusr2", lambda _: _say_where())  # noqa: B010 - it would start a debugger


def _say_where() -> None:
    faulthandler.dump_traceback(sys.stderr, all_threads=True)
    for task in [one for one in gc.get_objects() if isinstance(one, asyncio.Task) and not one.done()]:
        stack = " < ".join(reversed(list(_frames(task.get_coro()))))
        sys.stderr.write(f"task {task.get_name()}: {stack}\n")
    for consumer in [one for one in gc.get_objects() if isinstance(one, BatchConsumer)]:
        sys.stderr.write(_state(consumer))
    sys.stderr.flush()


def _state(consumer: Any) -> str:
    """Return what a worker's consumer has read, and what keeps it from reading on."""
    transport, known = consumer.transport, vars(consumer)
    shown = {
        "sought": consumer.is_sought,
        "flow": consumer.flow_active,
        "deferred": transport.deferred(),
        "doubted": transport.alarms.doubted(),
        "out of range": transport.alarms.out_of_range(),
        "stopped": transport.stopped(),
        **{name: known[name] for name in ("_put_back", "_rewinds", "_committed_offset", "_next", "_positions")},
        "ends": {tp: consumer.highwater(tp) for tp in known["_positions"]},
    }
    return "".join(f"consumer {name}: {value}\n" for name, value in shown.items())


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
