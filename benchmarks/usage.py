"""CPU time and memory of the processes of a benchmark: steadier figures than throughput on a machine that others use, too."""

from __future__ import annotations

import contextlib
import resource
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Usage:
    """Cost of one run: seconds, CPU seconds of the contender, of Redis and of the broker, and its peak memory in bytes."""

    seconds: float
    cpu: float
    redis: float = 0.0
    broker: float = 0.0
    memory: int = 0


class Meter:
    """CPU seconds of the services since the last call, by name (``redis``, ``broker``)."""

    def __init__(self, services: dict[str, int]) -> None:
        """``services``: name → process id."""
        self._services = {name: psutil.Process(pid) for name, pid in services.items()}
        self._before = {name: cpu_of(process) for name, process in self._services.items()}

    def read(self) -> dict[str, float]:
        """Return the CPU seconds of each service since the last call."""
        now = {name: cpu_of(process) for name, process in self._services.items()}
        spent = {name: now[name] - self._before[name] for name in now}
        self._before = now
        return spent


def cpu_of(process: psutil.Process) -> float:
    """Return the CPU seconds of a process and of its children that run; 0 if it has ended."""
    total = 0.0
    with contextlib.suppress(psutil.Error):
        for one in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                times = one.cpu_times()
                total += times.user + times.system
    return total


def peak_memory(process: psutil.Process) -> int:
    """Return the largest resident memory so far, in bytes, of a process and its children that run (Linux; else the present)."""
    total = 0
    for one in (process, *process.children(recursive=True)):
        try:
            lines = Path(f"/proc/{one.pid}/status").read_text().splitlines()
            total += next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
        except (OSError, StopIteration):
            total += int(one.memory_info().rss)
    return total


def own_cpu() -> float:
    """Return the CPU seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
