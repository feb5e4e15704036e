"""Who owns a unique key, and when the key counts: the forms in which the store keeps both.

An owner is 10 bytes that name a record (partition, generation and offset of its raw topic), followed by 4 bytes of its content
where that matters: a fingerprint (CRC-32C) that tells a record sent twice from another record with the same key. The generation
is the number of topics of the same name before it: a topic that is created again has the same partitions and offsets once more.

A key counts for a time that its contract states (``within``). Event time is cut into *periods* of half that time. Keys are
stored by the period of their record, and records are compared with those of their own period and of ``NEIGHBOURS`` periods
before and after it: so two records up to ``within`` apart are always compared, and never if they are 1.5 times as far apart.
Whether two are compared follows from their event times alone: a repeated batch comes to the same verdicts, whenever that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from struct import Struct
from typing import NamedTuple

from crc32c import crc32c

from stream_app.judge.batch import Verdicts

#: Bytes of an owner that name its record.
RECORD_BYTES = 10
#: Periods before and after its own that a record is compared with.
NEIGHBOURS = 2
_RECORD, _RECORD_CONTENT = Struct(">HQ"), Struct(">HQI")
_PARTITIONS, _GENERATIONS = 0x10000, 0x100
#: Bits of an offset; the generation is in the byte above them. A partition with a million records a second has enough of them
#: for two thousand years.
_OFFSET_BITS = 56


class Owner(NamedTuple):
    """An owner, decoded; ``content`` is ``None`` where it does not matter."""

    partition: int
    offset: int
    content: int | None = None
    generation: int = 0

    @classmethod
    def decode(cls, stored: bytes) -> Owner:
        """Read the stored form.

        Raises:
            struct.error: these bytes are not an owner.
        """
        partition, numbered, *content = (_RECORD if len(stored) == RECORD_BYTES else _RECORD_CONTENT).unpack(stored)
        generation, offset = divmod(numbered, 1 << _OFFSET_BITS)
        return cls(partition, offset, content[0] if content else None, generation)

    def encode(self) -> bytes:
        """Return the stored form."""
        partition, numbered = self.partition % _PARTITIONS, _first(self.generation) | self.offset
        if self.content is None:
            return _RECORD.pack(partition, numbered)
        return _RECORD_CONTENT.pack(partition, numbered, self.content)


def owners_of(
    partition: int, offsets: Sequence[int], bodies: Sequence[bytes | None] | None = None, *, generation: int = 0
) -> list[bytes]:
    """Return ``Owner.encode`` of records of one partition; with their ``bodies`` if the content matters."""
    partition %= _PARTITIONS
    numbered = map(_first(generation).__or__, offsets) if generation else offsets
    if bodies is None:
        return list(map(_RECORD.pack, repeat(partition), numbered))
    contents = map(crc32c, bodies if None not in bodies else [body or b"" for body in bodies])  # type: ignore[arg-type]
    return list(map(_RECORD_CONTENT.pack, repeat(partition), numbered, contents))


def _first(generation: int) -> int:
    """Return what stands for the offset 0 of a generation."""
    return generation % _GENERATIONS << _OFFSET_BITS


def periods_of(verdicts: Verdicts, within_ms: int | None) -> int | list[int]:
    """Return the period of each record, or the one period of all of them; 0 where keys count for ever.

    A record without event time is of the period of its as-of time.
    """
    if within_ms is None:
        return 0
    length = max(1, within_ms // NEIGHBOURS)
    first, last = (moment // length for moment in verdicts.span())
    # An event time that is a finding is not the record's: nearly always all are of one period all the same.
    if first == last and all(verdict.event_ms // length == first for verdict in verdicts.marked.values()):
        return first
    return [verdicts.moment(index) // length for index in range(len(verdicts))]
