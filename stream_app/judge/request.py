"""Questions to the store, or to the memory of one process, and its answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from stream_app.contract.model import Unique
from stream_app.judge.related import Known


@dataclass(frozen=True, slots=True)
class Wanted:
    """Ids that records refer to; with ``values``, what is known of each is wanted too.

    ``seen``: number of the last deletion of the entity that is known here, -1 if none is; ``None``: deletions do not matter.
    """

    entity: str
    ids: list[str]
    values: bool = False
    seen: int | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """Ids to be claimed for their records (``claim``), or only compared with who holds them.

    Attributes:
        ids: integers that Lua can compute with, or texts.
        holders: the ``owners.Owner`` that each record is, encoded.
        periods: when each id counts (``owners.periods_of``), or the one period of all.
    """

    rule: str
    claim: bool
    ids: Sequence[Any]
    holders: list[bytes]
    periods: int | list[int] = 0

    @property
    def distinct(self) -> bool:
        """True if no id occurs twice."""
        return len({*self.ids}) == len(self.ids)


@dataclass(frozen=True, slots=True)
class Deletions:
    """The deletions of an entity since ``Wanted.seen``.

    ``number``: of the last one; ``ids``: those deleted since, ``None`` if there are too many to say.
    """

    number: int
    ids: Sequence[str] | None = ()


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to a request.

    Attributes:
        missing: per ``Wanted``, the indexes of ids that are not known.
        repeats, contradictions: per ``Claim``, the indexes of ids that another record holds, with the same content or
            with other content.
        values: per ``Wanted`` with values, what is known of each id; empty where nothing is.
        deletions: per ``Wanted``, what has been deleted since; ``None`` where that does not matter.
        upto, notes: the ``Note`` that was stored for these offsets before; -1 and empty when there was none.
    """

    missing: Sequence[Sequence[int]] = ()
    repeats: Sequence[Sequence[int]] = ()
    contradictions: Sequence[Sequence[int]] = ()
    values: Sequence[Sequence[bytes]] = ()
    upto: int = -1
    notes: bytes = b""
    deletions: Sequence[Deletions | None] = ()


class Memory(dict[Any, Known]):
    """The known records of one entity, by id. ``seen``: number of the last deletion that is considered, -1 before any."""

    seen = -1


@dataclass(frozen=True, slots=True)
class Remembered:
    """One foreign key of a request: its ids that are not remembered, and what is remembered of the others."""

    ids: list[Any]
    with_fields: bool
    memory: Memory


@dataclass(frozen=True, slots=True)
class Compared:
    """One claim of a request: the uniqueness that it is about, and the index of the record behind each of its ids."""

    unique: Unique
    rows: list[int]


@dataclass(frozen=True, slots=True)
class Request:
    """Ids and keys to look up; false if there are none. The other attributes are for ``settle``, which needs them again."""

    wanted: list[Wanted]
    claims: list[Claim]
    references: list[Remembered] = field(default_factory=list)
    compared: list[Compared] = field(default_factory=list)
    own: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.wanted or self.claims)
