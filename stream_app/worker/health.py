"""How a worker is: what its heartbeat says, and that it gives up."""

from __future__ import annotations


class Health:
    """What the heartbeat says of this worker."""

    def __init__(self) -> None:
        self.records = 0
        self.error: str | None = None
        #: Since the last heartbeat: milliseconds from a batch's oldest record's arrival in Kafka to its count, and batches.
        self.waited = 0.0
        self.batches = 0
