"""The store's look-ups in the memory of one process, with the baselines learned there; the store's own tests check it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from stream_app.contract.model import Contract
from stream_app.judge.baseline import WEEKS, Baseline, build, enough, learned, parent_levels
from stream_app.judge.batch import Owned, Release, Verdicts
from stream_app.judge.owners import NEIGHBOURS, RECORD_BYTES
from stream_app.judge.related import Known
from stream_app.judge.request import Deletions, Found, Request


class MemoryStore:
    """Known records and claimed keys, as ``stream_app.store.writer.Store`` keeps them in Redis."""

    def __init__(self) -> None:
        self.known: dict[str, dict[str, bytes]] = {}
        #: (entity, rule) → id → period → owner.
        self._owners: dict[tuple[str, str], dict[Any, dict[int, bytes]]] = {}
        self._owned: dict[tuple[str, str], list[Release]] = {}
        #: Entity → its deleted ids, in the order of their deletion.
        self._deleted: dict[str, list[str]] = {}

    def look_up(self, entity: str, request: Request) -> Found:
        """Answer a request and claim its keys. Nothing is ever repeated here, so that there are no notes."""
        missing, values = [], []
        for wanted in request.wanted:
            known = self.known.get(wanted.entity, {})
            missing.append([index for index, identity in enumerate(wanted.ids) if identity not in known])
            values.append([known.get(identity, b"") for identity in wanted.ids] if wanted.values else [])
        repeats, contradictions = [], []
        for claim in request.claims:
            owners = self._owners.setdefault((entity, claim.rule), {})
            same: list[int] = []
            other: list[int] = []
            for index, (identity, own) in enumerate(zip(claim.ids, claim.holders, strict=True)):
                period = claim.periods if isinstance(claim.periods, int) else claim.periods[index]
                near = [one for one in owners.get(identity, ()) if abs(one - period) <= NEIGHBOURS]
                owner = owners[identity][min(near)] if near else None
                if owner is None:
                    if claim.claim:
                        owners.setdefault(identity, {})[period] = own
                elif owner[:RECORD_BYTES] != own[:RECORD_BYTES]:
                    (same if owner[RECORD_BYTES:] == own[RECORD_BYTES:] else other).append(index)
            repeats.append(same)
            contradictions.append(other)
        deletions = [
            None if one.seen is None else Deletions(len(self._deleted.get(one.entity, ())), self._since(one.entity, one.seen))
            for one in request.wanted
        ]
        return Found(missing, repeats, contradictions, values, deletions=deletions)

    def _since(self, entity: str, seen: int) -> list[str]:
        return self._deleted.get(entity, [])[seen:] if seen >= 0 else []

    def apply(
        self,
        entity: str,
        references: Mapping[str, str],
        releases: Iterable[Release] = (),
        deleted: Iterable[str] = (),
        owned: Iterable[Owned] = (),
        keys: Callable[[str], Iterable[tuple[str, Any]]] = lambda _: (),
    ) -> None:
        """Make records known, give back the keys that rejected records claimed, and forget records that are deleted.

        ``owned``: keys that go with a record; ``keys``: id → (rule, key) of the rules by which it is unique.
        """
        self.known.setdefault(entity, {}).update((identity, text.encode()) for identity, text in references.items())
        for rule, identity, owner in releases:
            self._give_back(entity, rule, identity, owner)
        for identity, rule, key, owner in owned:
            self._owned.setdefault((entity, identity), []).append((rule, key, owner))
        for identity in deleted:
            if self.known[entity].pop(identity, None) is not None:
                self._deleted.setdefault(entity, []).append(identity)
            for rule, key in keys(identity):
                self._owners.get((entity, rule), {}).pop(key, None)
            for rule, key, owner in self._owned.pop((entity, identity), ()):
                self._give_back(entity, rule, key, owner)

    def _give_back(self, entity: str, rule: str, key: Any, own: bytes) -> None:
        owners = self._owners.get((entity, rule), {}).get(key, {})
        for period in [period for period, owner in owners.items() if owner[:RECORD_BYTES] == own]:
            del owners[period]


class MemoryBaseline:
    """The baseline of one entity: learned from its records on the way, as workers do together, or one that is given."""

    def __init__(self, contract: Contract, baseline: Baseline | None, *, learns: bool) -> None:
        self.contract, self.baseline = contract, baseline
        self._learns = learns and bool(contract.outliers)
        self._weeks: dict[int, dict[str, Counter[tuple[Any, Any]]]] = {}
        self._learned = self._made_of = 0

    def learn(self, verdicts: Verdicts, usual: list[int], known: Mapping[str, Mapping[str, bytes]], week: int) -> None:
        """Learn from the clean records at ``usual``, of a ``week``, and make a new baseline where enough is new."""
        if not self._learns or not usual:
            return
        new = week not in self._weeks and bool(self._weeks)
        into = self._weeks.setdefault(week, {})
        for rule, counter in learned(self.contract, verdicts, usual, self._learned).items():
            into.setdefault(rule, Counter()).update(counter)
            self._learned += counter.total()
        if enough(self._learned, self._made_of, new_week=new):
            self._renew(known)

    def _renew(self, known: Mapping[str, Mapping[str, bytes]]) -> None:
        for old in sorted(self._weeks)[:-WEEKS]:
            del self._weeks[old]
        histograms: dict[str, dict[str, dict[int, int]]] = {}
        for found in self._weeks.values():
            for rule, counter in found.items():
                groups = histograms.setdefault(rule, {})
                for (value, bucket), count in counter.items():
                    histogram = groups.setdefault(str(value), {})
                    histogram[bucket] = histogram.get(bucket, 0) + count
        parents: dict[str, dict[str, str]] = {}
        for level, entity, name, groups_of in parent_levels(self.contract, histograms):
            records = known.get(entity, {})
            values = {group: Known.from_json(records[group]).values.get(name) for group in groups_of if group in records}
            parents[level] = {group: str(value) for group, value in values.items() if value is not None}
        version = self.baseline.version + 1 if self.baseline is not None else 1
        self.baseline = build(version, self.contract.outliers, histograms, parents, self._learned)
        self._made_of = self._learned
