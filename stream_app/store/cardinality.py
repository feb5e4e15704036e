"""Distinct customers and orders over windows: exact from the windows' sets while these are small, else by HyperLogLog."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import redis

from stream_app.counts.fields import Distinct, text
from stream_app.store.connection import execute
from stream_app.store.keys import Keys
from stream_app.store.states import starts_of
from stream_app.windows.grain import Grain

#: Redis stores a set of up to 512 integers packed, 8 bytes each at most: a larger set of a window is split into PARTS.
UNSPLIT, PARTS = 500, 17
#: Distinct values of one window that are kept; of a window with more, only its sketch counts them.
WINDOW_EXACT = 5_000
#: Distinct values of all windows of a range together, up to which their union is counted.
UNION_EXACT = 100_000
#: What the size of a window is divided by in the score of ``Keys.sizes``; and the size of one that only its sketch counts.
SIZE_UNIT, MANY = 8_192, 0
#: Members that a reader keeps in memory (8 bytes each).
_KEPT = 4 * UNION_EXACT

#: Integers of at most this many digits are their own members; other texts become an integer from _HASHED on.
_DIGITS = 15
_HASHED = 1 << 62


def member_of(value: str) -> str:
    """Return the integer, as text, by which a set has a value: itself, or a hash of 62 bits of any other text.

    Among 100,000 values, two have the same hash with a probability of 1 in 10⁹.
    """
    if value.isdigit() and len(value) <= _DIGITS and value.isascii() and (value[0] != "0" or value == "0"):
        return value
    digest = blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return str(_HASHED | int.from_bytes(digest, "big") >> 2)


class Part(NamedTuple):
    """One window of a range, and how many distinct values it has; MANY if only its sketch counts them."""

    entity: str
    what: Distinct
    grain: Grain
    start: int
    size: int


class Cardinality(NamedTuple):
    """Number of distinct values; ``estimated`` if sketches counted them."""

    number: int = 0
    estimated: bool = False


#: Windows with distinct values, in order.
Parts = Sequence[Part]


def ask_sizes(pipe: Any, keys: Keys, entity: str, what: Distinct, grain: Grain, start: int, end: int) -> None:
    """Ask which windows from ``start`` up to ``end`` have distinct values, and how many."""
    pipe.zrangebyscore(keys.sizes(entity, what, grain), start, f"({end}", withscores=True)


def parts_of(keys: Keys, entity: str, what: Distinct, grain: Grain, answer: Iterable[tuple[Any, float]]) -> list[Part]:
    """Read the answer to ``ask_sizes``.

    Raises:
        StoreError: a start is not an integer.
    """
    rows = [(starts_of(keys.sizes(entity, what, grain), [member]), score) for member, score in answer]
    return [
        Part(entity, what, grain, start, round(size) if 0 <= (size := (score - start) * SIZE_UNIT) <= WINDOW_EXACT else MANY)
        for starts, score in rows
        for start in starts
    ]


def member_keys(keys: Keys, entity: str, what: Distinct, grain: Grain, start: int) -> list[str]:
    """Return the set of a window, and the sets that it is split into."""
    key = keys.members(entity, what, grain, start)
    return [key, *(f"{key}/{number}" for number in range(PARTS))]


Window = tuple[str, Distinct, Grain, int]


class Asked(NamedTuple):
    """A question about some cuts: the members of ``missing`` windows (and if they are split), then ``sketched`` estimates."""

    cuts: list[list[Part]]
    known: Mapping[Window, array[int]]
    missing: list[tuple[Part, bool]]
    sketched: int
    epoch: str | bytes | None


class Cardinalities:
    """Counts unions of windows. What was read of a window is used again while the window has as many distinct values."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self.client = client
        self.keys = keys
        self._lock = threading.Lock()
        self._epoch: str | bytes | None = None
        #: Window → its members; the oldest first.
        self._members: dict[Window, array[int]] = {}

    def ask(self, pipe: Any, cuts: Iterable[Parts], epoch: str | bytes | None) -> Asked:
        """Ask for what is not known of the distinct values in each cut; ``epoch``: of the store that the sizes are of."""
        parts = [list(cut) for cut in cuts]
        with self._lock:
            if epoch != self._epoch:
                self._epoch, self._members = epoch, {}
            needed = {part[:4]: part for cut in parts if len(cut) > 1 and _is_exact(cut) for part in cut}
            known = {window: self._members[window] for window, part in needed.items() if self._knows(part)}
        missing = [(part, part.size > UNSPLIT) for window, part in needed.items() if window not in known]
        self._ask_members(pipe, missing)
        sketched = [cut for cut in parts if not _is_exact(cut)]
        for cut in sketched:
            self._ask_estimate(pipe, cut)
        return Asked(parts, known, missing, len(sketched), epoch)

    def answer(self, asked: Asked, answers: Iterator[Any]) -> list[Cardinality]:
        """Return the distinct values of each cut; windows that have changed since are asked for again."""
        known, missing = dict(asked.known), asked.missing
        raw = [next(answers) for _ in missing]
        estimates = [int(next(answers)) for _ in range(asked.sketched)]
        while missing:
            again = []
            for (part, split), members in zip(missing, raw, strict=True):
                found = _integers(members)
                if found is not None and len(found) >= part.size:
                    known[part[:4]] = found
                elif not split and {*map(text, members)} == {"split"}:
                    again.append((part, True))
            missing = again
            if missing:
                pipe = self.client.pipeline(transaction=False)
                self._ask_members(pipe, missing)
                raw = execute(self.client, self.keys.prefix, pipe)
        self._keep(known, asked.epoch)
        sketches = iter(estimates)
        return [self._counted(cut, known, sketches) for cut in asked.cuts]

    def _counted(self, cut: Parts, known: Mapping[Window, array[int]], sketches: Iterator[int]) -> Cardinality:
        if not _is_exact(cut):
            return Cardinality(next(sketches), estimated=True)
        if len(cut) <= 1:
            return Cardinality(sum(part.size for part in cut))
        if all(part[:4] in known for part in cut):
            return Cardinality(len(set[int]().union(*(known[part[:4]] for part in cut))))
        # One of its sets has become a sketch since its size was read.
        pipe = self.client.pipeline(transaction=False)
        self._ask_estimate(pipe, cut)
        return Cardinality(int(execute(self.client, self.keys.prefix, pipe)[0]), estimated=True)

    def _ask_members(self, pipe: Any, missing: Iterable[tuple[Part, bool]]) -> None:
        for part, split in missing:
            if split:
                pipe.sunion(self._names(part, split=True))
            else:
                pipe.smembers(*self._names(part, split=False))

    def _ask_estimate(self, pipe: Any, cut: Parts) -> None:
        pipe.pfcount(*(self.keys.sketch(*part[:4]) for part in cut))

    def _knows(self, part: Part) -> bool:
        return len(self._members.get(part[:4], ())) == part.size

    def _keep(self, known: Mapping[Window, array[int]], epoch: str | bytes | None) -> None:
        with self._lock:
            if epoch != self._epoch:
                return
            for window, members in known.items():
                self._members.pop(window, None)
                self._members[window] = members
            kept = sum(map(len, self._members.values()))
            while kept > _KEPT:
                kept -= len(self._members.pop(next(iter(self._members))))

    def _names(self, part: Part, *, split: bool) -> list[str]:
        whole, *parts = member_keys(self.keys, *part[:4])
        return parts if split else [whole]


def _is_exact(cut: Parts) -> bool:
    return all(part.size != MANY for part in cut) and sum(part.size for part in cut) <= UNION_EXACT


def _integers(raw: Collection[Any]) -> array[int] | None:
    """Return members as integers; None if they are none, as `many`, which stands for a set that is not kept."""
    try:
        return array("q", map(int, raw))
    except (ValueError, OverflowError):
        return None
