"""The link between a producer's run and the command that started it: progress, stop, summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Protocol

#: Seconds that a stopped run waits for acknowledgements.
STOP_SECONDS = 10.0
#: Delays that are not worth a wait, in seconds.
NO_DELAY = 0.001


class Progress(Protocol):
    """Shows the user how far a run is."""

    def say(self, text: str) -> None:
        """Print a line."""

    def update(self, count: int, fraction: Callable[[], float | None]) -> None:
        """Show the number of records so far, and the fraction of the run that is done, if known."""

    def seconds(self) -> float:
        """Return the time since the start."""


class Stop(Protocol):
    """True once the user has asked the run to stop; ``wait`` returns at that moment."""

    def __bool__(self) -> bool: ...

    def wait(self, seconds: float) -> None:
        """Sleep until the stop, at most ``seconds``."""


def summary(total: int, what: str, counts: Counter[str], seconds: float) -> str:
    """Return ``3,000 records delivered in 1.5 s, 2,000/s (orders 2,800, customers 200)``."""
    parts = ", ".join(f"{entity} {count:,}" for entity, count in counts.items())
    rate = f", {total / seconds:,.0f}/s" if seconds > 0 else ""
    return f"{total:,} records {what} in {seconds:,.1f} s{rate}" + (f" ({parts})" if parts else "")
