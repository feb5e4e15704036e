"""Notes on a batch that may be judged again: what its first look-up found, in the form that the store keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from stream_app.judge.request import Found


@dataclass(frozen=True, slots=True)
class Noted:
    """The notes on a batch that is judged again: up to the offset ``upto``.

    ``broken``: offset → the rules over other records that the record broke; ``waiting``: offsets of the records that waited.
    """

    upto: int = -1
    broken: Mapping[int, list[str]] = field(default_factory=dict)
    waiting: set[int] = field(default_factory=set)

    @classmethod
    def read(cls, offsets: Sequence[int], found: Found) -> Noted:
        """The notes that the look-up of these offsets brought; empty ones where they are of records before them."""
        if found.upto < offsets[0]:
            return cls(found.upto)
        content = msgspec.json.decode(found.notes, type=_Content) if found.notes else _Content()
        return cls(found.upto, content.broken, set(content.waiting))

    def encode(self) -> bytes:
        """Compact JSON."""
        return msgspec.json.encode(_Content(dict(self.broken), sorted(self.waiting)))


class _Content(msgspec.Struct):
    """The stored form of notes."""

    broken: dict[int, list[str]] = msgspec.field(default_factory=dict)
    waiting: list[int] = msgspec.field(default_factory=list)
