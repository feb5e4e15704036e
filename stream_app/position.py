"""Where a partition stands: how far its raw records are applied, and how far that reaches into the topics made of them."""

from __future__ import annotations

from typing import NamedTuple


class Position(NamedTuple):
    """Where a partition of an entity stands in its four topics.

    Every record that a worker delivered for raw offsets up to ``applied`` stands before ``clean``, ``dead_letter`` and
    ``pending``. So what stands behind them was delivered, and perhaps not counted.

    Attributes:
        applied: the last raw offset that is judged, delivered and counted; -1 before the first.
        clean, dead_letter, pending: the next offset of each topic.
        restored: number of scripts that have restored the partition, so that none of them counts twice.
    """

    applied: int = -1
    clean: int = 0
    dead_letter: int = 0
    pending: int = 0
    restored: int = 0

    @property
    def text(self) -> str:
        """The stored form, which scripts compare as a whole."""
        return " ".join(map(str, self))

    @classmethod
    def parse(cls, raw: bytes | str | None) -> Position:
        """Read the stored form; the beginning where there is none or it is not one."""
        parts = (raw.decode("ascii", "replace") if isinstance(raw, bytes) else raw or "").split(" ")
        try:
            return cls(*map(int, parts)) if len(parts) == len(cls._fields) else cls()
        except ValueError:
            return cls()
