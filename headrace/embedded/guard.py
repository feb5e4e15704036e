"""Run a command that ends when its parent ends, for any reason: ``guard.py PARENT_PID COMMAND…``.

It is a script because it must run in the child between fork and exec, where ``preexec_fn`` is not safe with threads. It uses
the standard library only, so that it starts in milliseconds.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from typing import NoReturn

#: prctl(2): signal that this process gets when the thread that started it ends; kept by ``exec``.
PR_SET_PDEATHSIG = 1
#: Seconds between two checks of the parent, if the kernel does not signal its end.
POLL = 0.5


def main(arguments: list[str]) -> NoReturn:
    """Tie this process to its parent, then replace it by the command."""
    parent, command = int(arguments[0]), arguments[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        watch(parent)
    if os.getppid() != parent:  # it ended before we were tied to it
        sys.exit(1)
    try:
        os.execv(command[0], command)  # noqa: S606 - no shell wanted
    except OSError as error:
        sys.exit(f"cannot run {command[0]}: {error.strerror}")


def watch(parent: int) -> None:
    """Fork a process that kills this one as soon as ``parent`` has ended, and ends with it."""
    child = os.getpid()
    if os.fork():
        return
    os.setsid()
    while is_running(child):
        if not is_running(parent):
            os.kill(child, signal.SIGKILL)
        time.sleep(POLL)
    os._exit(0)


def is_running(pid: int) -> bool:
    """True if a process with this id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main(sys.argv[1:])
