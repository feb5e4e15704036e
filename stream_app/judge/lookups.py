"""Look-ups of a batch: references, repeated keys, rules over other records. Pure: plan, then settle.

``plan`` says what to ask, ``settle`` makes of the answer what becomes of the batch; the caller asks (a store in Redis, or the
memory of one process) and stores what has to be noted::

    request = look_ups.plan(batch)
    found = store.look_up(request)    # and once more while look_ups.forget_deleted(request, found)
    settled = look_ups.settle(batch, request, found)
    # settled.note is stored before anything is delivered
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import ChainMap
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import filterfalse
from typing import Any, cast

from stream_app.contract.compile import AS_OF_RULE
from stream_app.contract.model import Contract, Rule, Shop
from stream_app.judge.baseline import Baseline
from stream_app.judge.batch import Batch, Note, Owned, Release, Settled, Verdicts
from stream_app.judge.keys import claims_of, duplicates, owned_of, releases_of
from stream_app.judge.notes import Noted
from stream_app.judge.owners import Owner, owners_of
from stream_app.judge.related import PLAIN, Known, Related, updates, wanted
from stream_app.judge.request import Found, Memory, Remembered, Request, Wanted
from stream_app.judge.verdict import Verdict

#: Ids of references that are remembered per entity, and records whose fields are read; beyond this the memory starts
#: afresh. A million ids took 70 MB, a million records 500 MB.
_REMEMBERED = 1_000_000
_PARSED = 100_000
#: Kinds of rules that only a look-up can find broken.
_LOOKED_UP = frozenset({"unique", "contradiction", "stale"})
#: Rules about the headers of the raw record, which the pending record has not.
_OF_THE_RAW_RECORD = frozenset({AS_OF_RULE})
_NOTHING = Known()

#: (entity, True if its fields are kept too) → id → what is known of it.
KnownIds = dict[tuple[str, bool], Memory]


class LookUps:
    """The look-ups of one entity. ``known`` is the memory of reference ids that all entities of a worker share.

    With ``notes_waiting``, who waits is noted too where no rule over other records needs a note: a record that was
    delivered to wait must not be taken for one that was delivered clean.
    """

    def __init__(self, shop: Shop, entity: str, known: KnownIds, *, notes_waiting: bool = False) -> None:
        self.contract: Contract = shop.contracts[entity]
        self.entity = entity
        self.baseline: Baseline | None = None
        self._known = known
        self._related = Related(self.contract)
        self._kept = wanted(shop, entity)
        self._notes = self._related.any or (notes_waiting and bool(self.contract.references))
        self._parsed: dict[bytes, Known] = {}
        self._is_reference = any(
            reference.to_entity == entity for other in shop.contracts.values() for reference in other.references
        )
        key = self.contract.key
        #: Keys beside the id that are unique, and go with a record that is deleted. What they are costs memory: nothing is
        #: kept of them where no entity refers to this one.
        self.further = [
            unique
            for unique in self.contract.uniques
            if self._is_reference and key is not None and unique.among == "kept" and unique.fields != (key,)
        ]

    @property
    def keeps_fields(self) -> bool:
        """True if fields of the entity's records are kept for others to compare with."""
        return self._kept is not None

    def refresh(self) -> None:
        """Look referenced records up afresh: their fields, by which segments are counted, may have changed."""
        for entity, with_fields in self._known:
            if with_fields:
                # A batch under way keeps the memory that it began with.
                self._known[entity, with_fields] = Memory()

    def forget(self) -> None:
        """Forget what is remembered of other records: the store has lost them, perhaps."""
        for at in self._known:
            self._known[at] = Memory()

    # --- a batch ----------------------------------------------------------------------------------------------------

    def plan(self, batch: Batch) -> Request:
        """Return what to ask of a judged batch: references, keys, and what is known of its own ids."""
        verdicts = batch.judged
        references = self._references(verdicts)
        compared, claims = claims_of(self.contract, verdicts, batch.partition, batch.offsets, batch.generation)
        own = self._own(verdicts)
        return Request([*self._wanted(references), Wanted(self.entity, own, values=True)], claims, references, compared, own)

    def settle(self, batch: Batch, request: Request, found: Found) -> Settled:
        """Apply the answer: repeated keys, waiting records, rules over other records, what others may refer to."""
        before = Noted.read(batch.offsets, found)
        repeated = duplicates(request.compared, found)
        verdicts = batch.judged.with_findings(repeated)
        known, pending = self._remember(verdicts, request.references, found)
        # Who waited when the batch was judged before waits again, even if the reference has arrived meanwhile.
        if before.waiting:
            again = (index for index, offset in enumerate(batch.offsets) if offset in before.waiting)
            pending.update(index for index in again if verdicts.bodies[index] is not None)
        segments = self._related.segments(verdicts, known)
        broken: dict[int, list[Rule]] = {}
        note = None
        if self._notes:
            broken, note = self._relate(batch, verdicts, known, before, pending)
            verdicts = verdicts.with_findings(broken)
        references, stale = self._made_known(verdicts, pending, request, found, batch.dated)
        verdicts = verdicts.with_findings(stale)
        references, deleted = _without_deleted(verdicts, references)
        releases = self._releases(batch, verdicts, {*repeated, *broken, *stale})
        owned = self._owned(batch, verdicts)
        return Settled(verdicts, frozenset(pending), references, releases, segments, note, deleted, owned)

    def forget_deleted(self, request: Request, found: Found) -> bool:
        """Forget what has been deleted since it was remembered; True if the request is to be planned anew without it."""
        relied = False
        for asked, row, deletions in zip(request.references, request.wanted, found.deletions, strict=False):
            if deletions is None or deletions.number == row.seen:
                continue
            memory = asked.memory
            if row.seen is not None and row.seen < 0:
                # The memory was empty: everything was asked.
                memory.seen = deletions.number if memory.seen < 0 else memory.seen
            elif deletions.ids is None:
                at = row.entity, asked.with_fields
                if self._known.get(at) is memory:
                    self._known[at] = Memory()
                relied = True
            else:
                gone = [memory.pop(one, None) for identity in deletions.ids for one in _spellings(identity)]
                memory.seen = max(memory.seen, deletions.number)
                relied = relied or any(one is not None for one in gone)
        return relied

    def resettle(
        self, batch: Batch, request: Request, found: Found, settled: Settled, known: Mapping[int, Verdict | None]
    ) -> Settled:
        """Return a settled batch with the verdicts that some records were delivered with; None: delivered to wait.

        What they make known to others, and the keys that they give back, follow.
        """
        verdicts = settled.verdicts.replaced({index: verdict for index, verdict in known.items() if verdict is not None})
        waits = {index for index, verdict in known.items() if verdict is None}
        pending = frozenset(settled.pending.difference(known) | waits)
        references, _ = self._made_known(verdicts, pending, request, found, batch.dated)
        references, deleted = _without_deleted(verdicts, references)
        kept = {_owner(batch, index) for index, verdict in known.items() if verdict is None or not verdict.rejected}
        return replace(
            settled,
            verdicts=verdicts,
            pending=pending,
            references=references,
            releases=[row for row in (*settled.releases, *self._releases(batch, verdicts, known)) if row[2] not in kept],
            deleted=deleted,
            owned=self._owned(batch, verdicts),
        )

    def refuse(self, batch: Batch, indexes: Iterable[int]) -> Settled:
        """Return a settled batch whose records at some indexes are rejected, because their topic does not take them."""
        settled = batch.settled or Settled(batch.judged)
        rule = self.contract.rules["record.refused"]
        rejected: dict[int, Verdict | None] = {index: settled.verdicts[index].with_findings((rule,)) for index in indexes}
        if batch.asked is None:
            known = {index: verdict for index, verdict in rejected.items() if verdict is not None}
            return replace(settled, verdicts=settled.verdicts.replaced(known))
        return self.resettle(batch, *batch.asked, settled, rejected)

    # --- records that have waited -----------------------------------------------------------------------------------

    def plan_late(self, verdicts: Verdicts) -> Request:
        """Return what to ask of records that have waited: the references that rules or segments read."""
        if not self._related.reads and not self._related.any:
            return Request([], [])
        references = self._references(verdicts)
        return Request(self._wanted(references), [], references)

    def settle_late(
        self, verdicts: Verdicts, request: Request, found: Found
    ) -> tuple[dict[int, list[Rule]], dict[str, list[Any]]]:
        """Return, of records that have waited, the rules over other records that each breaks, and their segments' values."""
        if not request:
            return {}, {}
        known, pending = self._remember(verdicts, request.references, found)
        broken = self._related.find(verdicts, pending, known, self.baseline)
        return broken, self._related.segments(verdicts, known)

    def plan_own(self, verdicts: Verdicts) -> Request:
        """Return what to ask of the records' own ids, before they become known to others."""
        if self._kept is None or self.contract.key is None:
            return Request([], [])
        own = self._own(verdicts)
        return Request([Wanted(self.entity, own, values=True)], [], own=own)

    def settle_own(
        self, verdicts: Verdicts, request: Request, found: Found, dated: Sequence[bool] | None = None
    ) -> dict[str, str]:
        """Return what records that waited, and are settled now, make known: id → what is kept of it.

        ``dated``: see ``Batch``; None: all are.
        """
        references, _ = self._made_known(verdicts, (), request, found, [True] * len(verdicts) if dated is None else dated)
        return references

    # --- references -------------------------------------------------------------------------------------------------

    def _references(self, verdicts: Verdicts) -> list[Remembered]:
        """Ids to look up, per foreign key."""
        references: list[Remembered] = []
        for reference in self.contract.references:
            name = reference.field
            with_fields = name in self._related.reads
            at = reference.to_entity, with_fields
            if len(self._known.get(at, ())) > _REMEMBERED:
                self._known[at] = Memory()
            memory = self._known.setdefault(at, Memory())
            ids: Iterable[Any] = verdicts.distinct(name)
            if name not in self._related.reads_values:
                # A set's difference() walks the whole memory, unless that is a plain dict.
                ids = filterfalse(memory.__contains__, ids)
            ids = {*ids}
            ids.discard(None)
            references.append(Remembered(list(ids), with_fields, memory))
        return references

    def _wanted(self, references: list[Remembered]) -> list[Wanted]:
        return [
            Wanted(reference.to_entity, [str(value) for value in asked.ids], asked.with_fields, asked.memory.seen)
            for reference, asked in zip(self.contract.references, references, strict=True)
        ]

    def _remember(
        self, verdicts: Verdicts, references: list[Remembered], found: Found
    ) -> tuple[dict[str, dict[Any, Known]], set[int]]:
        """Return what is known of referenced records, by reference field, and the indexes that refer to unknown ones."""
        known: dict[str, dict[Any, Known]] = {}
        pending: set[int] = set()
        for number, (reference, asked) in enumerate(zip(self.contract.references, references, strict=True)):
            ids, memory = asked.ids, asked.memory
            if found.deletions and (at := found.deletions[number]) is not None and at.number < memory.seen:
                # Another batch's answer, which came first, is newer: what this one found may have been deleted since.
                memory = cast("Memory", ChainMap({}, memory))
            missing = {ids[index] for index in found.missing[number]}
            if asked.with_fields:
                memory.update(
                    (identity, self._read(raw))
                    for identity, raw in zip(ids, found.values[number], strict=True)
                    if identity not in missing
                )
            else:
                memory.update((identity, _NOTHING) for identity in ids if identity not in missing)
            known[reference.field] = memory
            if missing:
                column = verdicts.column(reference.field)
                pending.update(
                    index
                    for index, (one, body) in enumerate(zip(column, verdicts.bodies, strict=True))
                    if body is not None and one in missing
                )
        return known, pending

    def _read(self, raw: bytes) -> Known:
        record = self._parsed.get(raw)
        if record is None:
            if len(self._parsed) > _PARSED:
                self._parsed.clear()
            record = self._parsed[raw] = Known.from_json(raw)
        return record

    def _own(self, verdicts: Verdicts) -> list[str]:
        """The batch's own keys, where what is known of them is kept."""
        key = self.contract.key
        if self._kept is None or key is None:
            return []
        return sorted({str(one) for one in verdicts.column(key) if one is not None})

    def _made_known(
        self, verdicts: Verdicts, pending: Collection[int], request: Request, found: Found, dated: Sequence[bool]
    ) -> tuple[dict[str, str], dict[int, list[Rule]]]:
        """Return what records make known, id → what is kept of it, and index → the rule of those that came too late for it."""
        if self._kept is None or self.contract.key is None:
            return dict.fromkeys(self._reference_ids(verdicts, pending), PLAIN), {}
        before = {identity: self._read(raw) for identity, raw in zip(request.own, found.values[-1], strict=True) if raw}
        latest, stale = updates(self.contract, self._kept, verdicts, pending, before, dated)
        return {identity: record.to_json() for identity, record in latest.items()}, stale

    def _reference_ids(self, verdicts: Verdicts, pending: Iterable[int]) -> list[str]:
        """Ids that other entities may refer to from now on."""
        key = self.contract.key
        if not self._is_reference or key is None:
            return []
        waiting = frozenset(pending)
        return sorted(
            {
                str(one)
                for index, (one, body) in enumerate(zip(verdicts.column(key), verdicts.bodies, strict=True))
                if body is not None and one is not None and index not in waiting
            }
        )

    # --- keys -------------------------------------------------------------------------------------------------------

    def _owned(self, batch: Batch, verdicts: Verdicts) -> list[Owned]:
        if not self.further:
            return []
        owners = owners_of(batch.partition, batch.offsets, generation=batch.generation)
        return owned_of(self.contract, self.further, verdicts, owners)

    def _releases(self, batch: Batch, verdicts: Verdicts, indexes: Iterable[int]) -> list[Release]:
        return releases_of(self.contract, ((verdicts[index], _owner(batch, index)) for index in indexes))

    # --- rules over other records -----------------------------------------------------------------------------------

    def _relate(
        self, batch: Batch, verdicts: Verdicts, known: dict[str, dict[Any, Known]], before: Noted, pending: set[int]
    ) -> tuple[dict[int, list[Rule]], Note | None]:
        """Return the rules over other records that each record breaks, and what to note of them.

        What they compare with may have changed when the batch is repeated after a crash: up to the noted offset, what
        was found the first time stands.
        """
        offsets, upto = batch.offsets, before.upto
        skip = {*pending, *range(bisect_right(offsets, upto))}
        fresh = self._related.find(verdicts, skip, known, self.baseline)
        broken, note = before.broken, None
        if offsets[-1] > upto:
            broken = {**broken, **{offsets[index]: [rule.id for rule in rules] for index, rules in fresh.items()}}
            waiting = {*before.waiting, *(offsets[index] for index in pending)}
            note = Note(upto, offsets[-1], Noted(offsets[-1], broken, waiting).encode())
        rules = self.contract.rules
        by_index: dict[int, list[Rule]] = {}
        for offset in sorted(broken):
            index = bisect_left(offsets, offset)
            # A contract of another version may not have the rule any more.
            found = [rules[rule_id] for rule_id in broken[offset] if rule_id in rules]
            if found and index not in pending and index < len(offsets) and offsets[index] == offset:
                by_index[index] = found
        return by_index, note


def _owner(batch: Batch, index: int) -> bytes:
    """Return the owner, without content, that a record is."""
    return Owner(batch.partition, batch.offsets[index], generation=batch.generation).encode()


def _without_deleted(verdicts: Verdicts, references: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return the references that are left, and the ids that tombstones delete: these come after all records of their key."""
    if not verdicts.deleted:
        return references, []
    deleted = sorted({one for one in verdicts.deleted.values() if one is not None})
    return {identity: known for identity, known in references.items() if identity not in deleted}, deleted


def _spellings(identity: str) -> list[Any]:
    """Return the values whose text is an id: itself, and the number that it spells."""
    found: list[Any] = [identity]
    for kind in (int, float):
        try:
            value = kind(identity)
        except ValueError:
            continue
        if str(value) == identity:
            found.append(value)
    return found


def lookup_rule_ids(verdict: Verdict) -> list[str]:
    """Return the ids of the findings that a waiting record keeps: those that judging it again would not find."""
    return [rule.id for rule in verdict.findings if is_looked_up(rule)]


def is_looked_up(rule: Rule) -> bool:
    """True for a rule that judging a pending record would not find broken: only a look-up, or the raw record's headers, can."""
    return rule.kind in _LOOKED_UP or rule.id in _OF_THE_RAW_RECORD
