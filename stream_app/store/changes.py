"""Everything that one batch changes in the store, as the keys and the payload of the script that applies it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from stream_app.counts.fields import APPLIED_AT, DISTINCT_EXACT, EVENT_TIME, capped
from stream_app.counts.found import IN_WINDOW
from stream_app.counts.found import WINDOWS as FOUND_WINDOWS
from stream_app.counts.tally import Tally
from stream_app.counts.window import by_grain, distinct_by_grain
from stream_app.judge.batch import Owned, Release
from stream_app.judge.keys import keys_of_id
from stream_app.judge.request import Claim
from stream_app.position import Position
from stream_app.store.cardinality import PARTS, SIZE_UNIT, UNSPLIT, WINDOW_EXACT, member_of
from stream_app.store.keys import CLEAN_KEPT, DELETED_KEPT, FINDINGS_KEPT, Keys, found_part, found_windows_part, waiting_format
from stream_app.windows.grain import Grain

#: Distinct values that a segment field is counted by; more are counted together.
SEGMENT_VALUES = 200


@dataclass(slots=True)
class Changes:
    """Everything that one batch changes in the store.

    ``applied`` is (field of the partition, position expected there, new position); ``settle`` and ``wait`` are fields of the
    waiting hash, ``references`` maps ids that others may refer to to what is known of them, ``learned`` is (rule, week,
    ``group|bucket`` → count), ``release`` is (rule, id, owner) of ids that rejected records give back. ``deleted`` are ids of
    records that tombstones delete, ``topic_ids`` those of the raw topics that there have been, by generation, ``owned`` (id,
    rule, key, owner) of keys that go with a record. ``settled_at`` is
    (``settled_field``, its new value), ``clock`` (field of the partition, its clock as text).

    Only a restored partition has ``counted``, (block, bits) of what is counted ahead of the applied
    offset, and ``claims`` of keys whose records are known to have been delivered clean.
    """

    tally: Tally
    now_ms: int
    applied: tuple[str, Position, Position] | None = None
    settle: list[str] | None = None
    wait: list[tuple[str, str]] = field(default_factory=list)
    references: dict[str, str] = field(default_factory=dict)
    learned: list[tuple[str, int, dict[str, int]]] = field(default_factory=list)
    release: list[Release] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    topic_ids: Sequence[str] = ()
    owned: list[Owned] = field(default_factory=list)
    clock: tuple[str, str] | None = None
    settled_at: tuple[str, str] | None = None
    counted: list[tuple[int, bytes]] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)

    def keys(self, keys: Keys) -> list[str]:
        """Return the KEYS of ``apply.lua``."""
        entity = self.tally.contract.entity
        found = [
            keys.applied(),
            keys.lookup_notes(self.applied[0] if self.applied is not None else ""),
            keys.waiting(entity),
            keys.total(entity),
            keys.references(entity),
            keys.findings(),
            keys.clean(entity),
            keys.baseline(entity),
            keys.unique_stem(entity),
            keys.segments_stem(entity),
            keys.distinct(entity, "customers"),
            keys.distinct(entity, "orders"),
            keys.counted(self.applied[0] if self.applied is not None else ""),
            keys.distinct_sketch(entity, "customers"),
            keys.distinct_sketch(entity, "orders"),
        ]
        for grain in Grain:
            found += [
                keys.windows(entity, grain),
                keys.window_stem(entity, grain),
                keys.sketch_stem(entity, "customers", grain),
                keys.sketch_stem(entity, "orders", grain),
                keys.members_stem(entity, "customers", grain),
                keys.members_stem(entity, "orders", grain),
            ]
        for rule, week, _ in self.learned:
            found += [keys.learned(entity, rule, week), keys.learned_weeks(entity, rule)]
        return [*found, keys.clocks(entity), keys.found_stem(entity), keys.owned(entity), keys.deleted(entity)]

    def payload(self) -> dict[str, Any]:
        """Return the ARGV of ``apply.lua``.

        A segment value is (segment field, value, field → the field that counts it together with others beyond the cap);
        ``windows`` are (start, field → increment), ``sketches`` (start, distinct values) of customers and of orders; the
        values are ``True`` if they are all of ``distinct``.
        """
        tally, contract = self.tally, self.tally.contract
        grains, segments = [], []
        for grain in Grain:
            windows = by_grain(tally.minutes, grain)
            if grain is Grain.DAY:
                # Every field of a finer window is in one of the days.
                segments = capped({*chain.from_iterable(windows.values())})
            sketches = [_sketches(minutes, grain) for minutes in (tally.customers, tally.orders)]
            grains.append({"kept": grain.kept, "windows": list(windows.items()), "sketches": sketches})
        body = {
            "applied": (self.applied[0], self.applied[1].text, self.applied[2].text) if self.applied is not None else None,
            "counted": self.counted,
            "settled_at": self.settled_at,
            "claims": [(one.rule, one.ids, one.holders, one.periods) for one in self.claims],
            "settle": self.settle,
            "wait": self.wait,
            "totals": tally.totals(),
            "grains": grains,
            "segments": segments,
            "segment_values": SEGMENT_VALUES,
            "distinct": [_distinct(tally.customers), _distinct(tally.orders)],
            "distinct_exact": DISTINCT_EXACT,
            "unsplit": UNSPLIT,
            "window_exact": WINDOW_EXACT,
            "parts": PARTS,
            "size_unit": SIZE_UNIT,
            "refs": [part for row in self.references.items() for part in row],
            "learned": [(week, histogram) for _, week, histogram in self.learned],
            "release": self.release,
            "deleted": self.deleted,
            "deleted_kept": DELETED_KEPT,
            "deleted_rule": "record.deleted",
            "waiting_formats": [waiting_format(one) for one in self.topic_ids or [""]] if self.deleted else [],
            "keys": [keys_of_id(contract, one) for one in self.deleted],
            "owned": self.owned,
            "findings": tally.samples.encoded_findings(self.now_ms),
            "findings_kept": FINDINGS_KEPT,
            "found": [
                (found_windows_part(rule, grain), found_part(rule, grain), FOUND_WINDOWS[grain], start, rows)
                for rule, grain, start, rows in tally.samples.found.encoded(self.now_ms)
            ],
            "found_kept": IN_WINDOW,
            "clean": tally.samples.encoded_clean(),
            "clean_kept": CLEAN_KEPT,
            "clock": self.clock,
            "event_time": EVENT_TIME,
            "applied_at": (APPLIED_AT, self.now_ms),
        }
        return {key: value for key, value in body.items() if value is not None}


def _sketches(minutes: dict[int, set[str]], grain: Grain) -> list[tuple[int, list[str] | bool]]:
    """Mostly a batch is of one hour and one day: its distinct values are sent once, not again for each grain."""
    windows = distinct_by_grain(minutes, grain)
    if len(windows) == 1:
        return [(start, True) for start in windows]
    return [(start, list(map(member_of, values))) for start, values in windows.items()]


def _distinct(minutes: dict[int, set[str]]) -> list[str]:
    return list(map(member_of, set().union(*minutes.values()))) if minutes else []
