"""A worker that dies or stands still at a chosen moment: ``fragile.py MOMENT[:stop] CALLS [worker options…]``.

A kill from outside rarely hits the moment between two steps; this one always does. MOMENT is ``before.METHOD`` or
``after.METHOD`` of ``look_up``, ``note``, ``send``, ``apply``, ``decide`` or ``note_late_findings``, with transactions also
``send_by`` (sent, not committed) or ``deliver`` (committed, not counted), and while a store is restored ``begin_epoch``,
``empty`` or ``restore_chunk``; the worker dies by SIGKILL at the CALLS-th call, or with ``:stop`` stops there by SIGSTOP.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from stream_app.kafka.transactions import Transactions
from stream_app.store.ownership import OwnershipStore
from stream_app.store.writer import Store
from stream_app.worker import delivery, pipeline, waiting
from stream_app.worker.restore import PartitionRestore
from tests.support.watched import say_where_on_signal

METHODS = ("look_up", "note", "send", "apply", "decide", "note_late_findings")
#: With transactions only.
TRANSACTIONAL = ("send_by", "deliver")
#: While a store is restored.
RESTORING = ("begin_epoch", "empty", "restore_chunk")
MOMENTS = tuple(f"{when}.{name}" for when in ("before", "after") for name in METHODS)
#: Method → where it is: (module or class, attribute). Functions stand in each module that imports them.
OWNERS: dict[str, tuple[tuple[Any, str], ...]] = {
    "send": ((pipeline, "deliver"), (waiting.WaitingRecords, "_deliver")),
    "send_by": ((delivery, "send"), (waiting, "send")),
    "deliver": ((Transactions, "deliver"),),
    "begin_epoch": ((OwnershipStore, "begin"),),
    "empty": ((OwnershipStore, "empty"),),
    "restore_chunk": ((PartitionRestore, "_apply"),),
}


def arm(moment: str, calls: int) -> None:
    """Make this process kill or stop itself at the ``calls``-th call of ``moment``."""
    moment, _, stops = moment.partition(":")
    when, name = moment.split(".")
    left = calls
    end = signal.SIGSTOP if stops else signal.SIGKILL

    def armed(method: Callable[..., Any]) -> Callable[..., Any]:
        async def deadly(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            last = left == 0
            if last and when == "before":
                os.kill(os.getpid(), end)
            result = await method(*args, **kwargs)
            if when == "after" and (last if stops else left <= 0):
                os.kill(os.getpid(), end)
            return result

        return deadly

    for owner, attribute in OWNERS.get(name, ((Store, name),)):
        setattr(owner, attribute, armed(getattr(owner, attribute)))


if __name__ == "__main__":
    from headrace.cli.main import cli

    say_where_on_signal()
    arm(sys.argv[1], int(sys.argv[2]))
    cli(["worker", *sys.argv[3:]], prog_name="headrace")
