"""Step 2 of a batch: what only Redis can tell of its records (references, repeated keys, what others said), settled."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from hashlib import blake2b
from typing import Any, Protocol, TypeVar
from zlib import crc32

from stream_app.contract.model import Contract, Rule, Shop, Unique
from stream_app.judge import Verdict
from stream_app.judge.baseline import Baseline
from stream_app.judge.batch import Verdicts
from stream_app.judge.related import PLAIN, Known, Related, updates, wanted

T = TypeVar("T")
#: Known reference ids remembered per entity; beyond this the memory starts afresh.
_KNOWN = 1_000_000


class Memory(Protocol):
    """What is looked up in, and where it is noted what was found: the store, or the memory of one process."""

    async def look_up(
        self, entity: str, applied: tuple[str, int] | None, wanted: list[Wanted], claims: list[Claim]
    ) -> Found: ...
    async def note(self, applied: tuple[str, int], seen: int, upto: int, notes: bytes) -> None: ...


class Patience(Protocol):
    """Does an action until it succeeds (``Engine.patiently``)."""

    async def __call__(self, what: str, action: Callable[[], Awaitable[T]]) -> T: ...


@dataclass(slots=True)
class Settled:
    """What the look-up made of a batch; the verdicts themselves are changed in place.

    Attributes:
        pending: indexes of the records that wait for their reference data.
        touched: indexes of the records that got a finding here.
        references: id → what is known of it from now on, for others to refer to.
        segments: segment → value by record, of segments that are fields of a referenced record.
    """

    pending: set[int] = field(default_factory=set)
    touched: set[int] = field(default_factory=set)
    references: dict[str, str] = field(default_factory=dict)
    segments: dict[str, list[Any]] = field(default_factory=dict)


#: (entity, whether more than that is kept) → id → what is known of it.
KnownIds = dict[tuple[str, bool], dict[Any, Known]]


@dataclass(frozen=True, slots=True)
class Batch:
    """Where a batch comes from: the partition's field and applied offset, and of each record its offset and source.

    ``dated`` tells whether the producer told the moment of the record at an index.
    """

    place: tuple[str, int]
    offsets: list[int]
    sources: list[bytes]
    dated: Callable[[int], bool]


@dataclass(frozen=True, slots=True)
class _Asked:
    """Ids of one foreign key to look up; with ``full``, all that is known of them. ``memory`` holds those known already."""

    entity: str
    ids: list[Any]
    full: bool
    memory: dict[Any, Known]


class LookUps:
    """The look-ups of one entity. ``known`` is the memory of reference ids that all entities of a worker share.

    With ``notes_waiting`` it is noted before anything is sent who waits, also where no rule over other records notes
    what it found: a record that was delivered to wait must not be taken for one that was delivered clean.
    """

    def __init__(
        self, shop: Shop, entity: str, store: Memory, patiently: Patience, known: KnownIds, *, notes_waiting: bool = False
    ) -> None:
        self.contract: Contract = shop.contracts[entity]
        self.entity = entity
        self.baseline: Baseline | None = None
        self._store, self._patiently, self._known = store, patiently, known
        self._related = Related(self.contract)
        self._kept = wanted(shop, entity)
        self._notes = self._related.any or (notes_waiting and bool(self.contract.references))
        self._parsed: dict[bytes, Known] = {}
        self._is_reference = any(
            reference.to_entity == entity for other in shop.contracts.values() for reference in other.references
        )

    def refresh(self) -> None:
        """Look referenced records up afresh: their fields, by which segments are counted, may have changed."""
        for entity, full in self._known:
            if full:
                # A batch under way keeps the memory that it began with.
                self._known[entity, full] = {}

    async def settle(self, batch: Batch, verdicts: Verdicts) -> Settled:
        """Look up references and keys in one round trip, apply the rules over other records, settle the verdicts.

        Raises:
            Moved: another worker has moved the partition on.
        """
        settled = Settled()
        references = self._references(verdicts)
        claimed, places = self._claims(verdicts, batch.sources)
        claims = [claim for _, claim in claimed]
        own = self._own(verdicts)
        asked = [Wanted(one.entity, [str(value) for value in one.ids], one.full) for one in references]
        asked.append(Wanted(self.entity, own, True))
        found = await self._patiently(
            "look up references and keys", lambda: self._store.look_up(self.entity, batch.place, asked, claims)
        )
        self._duplicates(verdicts, found, [unique for unique, _ in claimed], places, settled)
        known = self._pending(verdicts, references, found, settled)
        noted = _Notes.read(found, batch)
        # Who waited when the batch was judged before waits again, even if the reference has arrived meanwhile.
        if noted.waiting:
            again = {index for index, offset in enumerate(batch.offsets) if offset in noted.waiting}
            settled.pending.update(index for index in again if verdicts.bodies[index] is not None)
        settled.segments = self._related.segments(verdicts, known)
        if self._notes:
            await self._relate(batch, verdicts, known, noted, settled)
        if self._kept is not None and self.contract.key is not None:
            before = {identity: self._read(raw) for identity, raw in zip(own, found.values[-1], strict=True) if raw}
            latest, stale = updates(self.contract, self._kept, verdicts, settled.pending, before, batch.dated)
            for index, rules in stale.items():
                verdicts.mark(index, rules)
                settled.touched.add(index)
            settled.references = {identity: record.to_json() for identity, record in latest.items()}
        else:
            settled.references = dict.fromkeys(self.reference_ids(verdicts, settled.pending), PLAIN)
        return settled

    # --- references -------------------------------------------------------------------------------------------------

    def _references(self, verdicts: Verdicts) -> list[_Asked]:
        """What to look up, per foreign key."""
        asked: list[_Asked] = []
        for reference in self.contract.references:
            name = reference.field
            full = name in self._related.reads
            place = reference.to_entity, full
            if len(self._known.get(place, ())) > _KNOWN:
                self._known[place] = {}
            memory = self._known.setdefault(place, {})
            ids = set(verdicts.column(name))
            ids.discard(None)
            if name not in self._related.reads_values:
                ids.difference_update(memory)
            asked.append(_Asked(reference.to_entity, list(ids), full, memory))
        return asked

    def _pending(
        self, verdicts: Verdicts, references: list[_Asked], found: Found, settled: Settled
    ) -> dict[str, dict[Any, Known]]:
        """Note who waits for an unknown reference; returns what is known of the others, by reference field."""
        known: dict[str, dict[Any, Known]] = {}
        for place, (reference, asked) in enumerate(zip(self.contract.references, references, strict=True)):
            ids, memory = asked.ids, asked.memory
            gone = {ids[index] for index in found.missing[place]}
            if asked.full:
                memory.update(
                    (identity, self._read(raw))
                    for identity, raw in zip(ids, found.values[place], strict=True)
                    if identity not in gone
                )
            else:
                memory.update((identity, _NOTHING) for identity in ids if identity not in gone)
            known[reference.field] = memory
            if gone:
                name = reference.field
                settled.pending.update(
                    index
                    for index, (one, body) in enumerate(zip(verdicts.column(name), verdicts.bodies, strict=True))
                    if body is not None and one in gone
                )
        return known

    def _read(self, raw: bytes) -> Known:
        record = self._parsed.get(raw)
        if record is None:
            if len(self._parsed) > _KNOWN:
                self._parsed.clear()
            record = self._parsed[raw] = Known.from_json(raw)
        return record

    def _own(self, verdicts: Verdicts) -> list[str]:
        """The batch's own keys, where what is known of them is kept."""
        key = self.contract.key
        if self._kept is None or key is None:
            return []
        return sorted({str(one) for one in verdicts.column(key) if one is not None})

    def reference_ids(self, verdicts: Verdicts, pending: set[int]) -> list[str]:
        """Ids that other entities may refer to from now on."""
        key = self.contract.key
        if not self._is_reference or key is None:
            return []
        return sorted(
            {
                str(one)
                for index, (one, body) in enumerate(zip(verdicts.column(key), verdicts.bodies, strict=True))
                if body is not None and one is not None and index not in pending
            }
        )

    # --- keys -------------------------------------------------------------------------------------------------------

    def _claims(self, verdicts: Verdicts, sources: list[bytes]) -> tuple[list[tuple[Unique, Claim]], list[list[int]]]:
        """Claims of the batch, and for each claim the index of the record behind each of its ids."""
        bodies = verdicts.bodies
        claims: list[tuple[Unique, Claim]] = []
        places: list[list[int]] = []
        for unique in self.contract.uniques:
            ids = self._ids(unique, verdicts)
            seen = unique.among == "seen"
            if None in ids or (None in bodies and not seen):
                made = [i for i, (one, body) in enumerate(zip(ids, bodies, strict=True)) if one is not None and (seen or body)]
                looked = [] if seen else [i for i, one in enumerate(ids) if one is not None and not bodies[i]]
            else:
                made, looked = list(range(len(ids))), []
            # A record that only looks is compared with those before it, whatever batch they are in: with what the batch
            # claims itself if that comes first, else with what was claimed before the batch.
            first = dict(zip([ids[i] for i in reversed(made)], reversed(made), strict=True)) if looked else {}
            after = [i for i in looked if first.get(ids[i], i) < i]
            before = [i for i in looked if first.get(ids[i], i) >= i]
            for make, place in ((False, before), (True, made), (False, after)):
                if place:
                    claim = self._claim(unique, make, place, ids, sources, bodies)
                    claims.append((unique, claim))
                    places.append(place)
        return claims, places

    def _claim(
        self,
        unique: Unique,
        make: bool,
        place: list[int],
        ids: list[str | None],
        sources: list[bytes],
        bodies: list[bytes | None],
    ) -> Claim:
        whole = len(place) == len(ids)
        holders = sources if whole else [sources[i] for i in place]
        if unique.contradiction is not None:
            contents = map(crc32, [bodies[i] or b"" for i in place])
            holders = list(map(b"%b %x".__mod__, zip(holders, contents, strict=True)))
        return Claim(unique.rule.id, make, ids if whole else [ids[i] for i in place], holders)  # type: ignore[arg-type, misc]

    def _ids(self, unique: Unique, verdicts: Verdicts) -> list[str | None]:
        columns = [verdicts.column(name) for name in unique.fields]
        if len(columns) == 1:
            return [None if one is None else str(one) for one in columns[0]]
        return [unique_id(parts, unique.among == "seen") for parts in zip(*columns, strict=True)]

    def _duplicates(
        self, verdicts: Verdicts, found: Found, uniques: list[Unique], places: list[list[int]], settled: Settled
    ) -> None:
        extra: dict[int, list[Rule]] = {}
        for unique, place, repeats, contradictions in zip(uniques, places, found.repeats, found.contradictions, strict=True):
            for index in repeats:
                extra.setdefault(place[index], []).append(unique.rule)
            for index in contradictions:
                extra.setdefault(place[index], []).append(unique.contradiction or unique.rule)
        for index, rules in extra.items():
            verdicts.mark(index, rules)
        settled.touched.update(extra)

    async def late(self, verdicts: Verdicts) -> tuple[dict[int, list[Rule]], dict[str, list[Any]]]:
        """Of records that have waited: the rules over other records that each breaks, and their segments' values."""
        if not self._related.reads and not self._related.any:
            return {}, {}
        references = self._references(verdicts)
        asked = [Wanted(one.entity, [str(value) for value in one.ids], one.full) for one in references]
        found = await self._patiently("look up references", lambda: self._store.look_up(self.entity, None, asked, []))
        settled = Settled()
        known = self._pending(verdicts, references, found, settled)
        found_late = self._related.find(verdicts, settled.pending, known, self.baseline)
        return found_late, self._related.segments(verdicts, known)

    async def made_known(self, verdicts: Verdicts) -> dict[str, str]:
        """What records that waited, and are settled now, make known: id → what is kept of it."""
        if self._kept is None or self.contract.key is None:
            return dict.fromkeys(self.reference_ids(verdicts, set()), PLAIN)
        own = self._own(verdicts)
        found = await self._patiently(
            "look up keys", lambda: self._store.look_up(self.entity, None, [Wanted(self.entity, own, True)], [])
        )
        before = {identity: self._read(raw) for identity, raw in zip(own, found.values[0], strict=True) if raw}
        latest, _ = updates(self.contract, self._kept, verdicts, (), before, lambda index: True)
        return {identity: record.to_json() for identity, record in latest.items()}

    def releases(self, rows: Any) -> list[tuple[str, str, bytes]]:
        """Ids that rejected ones of (verdict, source) rows hold among the kept and give back."""
        return [
            (unique.rule.id, identity, source)
            for verdict, source in rows
            if verdict.rejected and verdict.values is not None
            for unique in self.contract.uniques
            if unique.among == "kept"
            and (identity := unique_id([verdict.values[name] for name in unique.fields], False)) is not None
        ]

    # --- rules over other records -----------------------------------------------------------------------------------

    async def _relate(
        self, batch: Batch, verdicts: Verdicts, known: dict[str, dict[Any, Known]], noted: _Notes, settled: Settled
    ) -> None:
        """Apply the rules over other records, and note what they found before anything is sent.

        What they compare with may have changed when the batch is repeated after a crash: up to the noted offset, what
        was found the first time stands.
        """
        offsets, upto = batch.offsets, noted.upto
        skip = {*settled.pending, *(i for i, offset in enumerate(offsets) if offset <= upto)}
        fresh = self._related.find(verdicts, skip, known, self.baseline)
        broken = noted.broken
        if offsets[-1] > upto:
            broken = broken | {offsets[index]: [rule.id for rule in rules] for index, rules in fresh.items()}
            waiting = {*noted.waiting, *(offsets[index] for index in settled.pending)}
            text = _Notes(offsets[-1], broken, waiting).to_json()
            await self._patiently("note what was found", lambda: self._store.note(batch.place, upto, offsets[-1], text))
        rules = self.contract.rules
        for index, offset in enumerate(offsets) if broken else ():
            found = [rules[rule_id] for rule_id in broken.get(offset, ()) if rule_id in rules]
            if found and index not in settled.pending:
                verdicts.mark(index, found)
                settled.touched.add(index)


@dataclass(frozen=True, slots=True)
class _Notes:
    """What was noted of a batch that is judged again: up to an offset, the rules over other records that each record
    broke (by offset), and the offsets of those that waited."""

    upto: int = -1
    broken: dict[int, list[str]] = field(default_factory=dict)
    waiting: set[int] = field(default_factory=set)

    @classmethod
    def read(cls, found: Found, batch: Batch) -> _Notes:
        """The notes that a look-up brought; empty ones where they are of records before the batch."""
        if found.upto < batch.offsets[0]:
            return cls(found.upto)
        notes = json.loads(found.notes or b"{}")
        broken = {int(offset): ids for offset, ids in notes.get("broken", {}).items()}
        return cls(found.upto, broken, set(notes.get("waiting", ())))

    def to_json(self) -> bytes:
        """Compact JSON."""
        return json.dumps({"broken": self.broken, "waiting": sorted(self.waiting)}, separators=(",", ":")).encode()


_NOTHING = Known()
_LOOKED_UP = frozenset({"unique", "contradiction", "stale"})


def marks(verdict: Verdict) -> list[str]:
    """Ids of the findings that a waiting record keeps: those that judging it again would not find."""
    return [rule.id for rule in verdict.findings if rule.kind in _LOOKED_UP]


def unique_id(parts: Sequence[Any], seen: bool) -> str | None:
    """The text that must be unique; ``None`` where a field of the key is missing (unless nulls compare, ``seen``)."""
    if len(parts) == 1:
        return None if parts[0] is None else str(parts[0])
    if not seen and any(part is None for part in parts):
        return None
    return fingerprint(parts)


def fingerprint(parts: Sequence[Any]) -> str:
    """128 bits that stand for the values of several fields. Moments count as texts: their zones may be of several kinds."""
    parts = [str(part) if isinstance(part, date) else part for part in parts]
    return blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@dataclass(slots=True)
class Claim:
    """Ids to be held (``claim``), or only compared with who holds them.

    A holder is the ``headrace.source`` of a record, and after a space a fingerprint of its content where that matters.
    """

    rule: str
    claim: bool
    ids: list[str]
    holders: list[bytes]

    @property
    def distinct(self) -> bool:
        """Whether no id occurs twice."""
        return len({*self.ids}) == len(self.ids)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Ids that records refer to; with ``values``, what is known of each is wanted too."""

    entity: str
    ids: list[str]
    values: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What a look-up found.

    Attributes:
        missing: per ``Wanted``, the indexes of ids that are not known.
        repeats, contradictions: per ``Claim``, the indexes of ids that another record holds, with the same content or
            with other content.
        values: per ``Wanted`` with values, what is known of each id; empty where nothing is.
        upto, notes: what ``Store.note`` wrote of these offsets before; -1 and empty when it did not.
    """

    missing: list[list[int]]
    repeats: list[list[int]]
    contradictions: list[list[int]]
    values: list[list[bytes]]
    upto: int
    notes: bytes
