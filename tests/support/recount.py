"""Count the topics of an entity anew, and compare them with the counts in Redis."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from stream_app.names import FINDINGS, WARNINGS, Topics
from stream_app.settings import Settings
from stream_app.windows.grain import Grain
from tests.support.stream import Books, Seen, read_topic


@dataclass
class Recount:
    """Records in the topics of one entity, by unique source."""

    raw: dict[str, Seen]
    #: Tombstones, which delete a record, among them.
    clean: dict[str, Seen]
    dead: dict[str, Seen]
    repeated: int


def recount(settings: Settings, entity: str) -> Recount:
    """Read an entity's topics; fails on a record that is delivered twice with different bytes."""
    topics = Topics(entity, settings.topic_prefix)
    raw = {record.own_source: record for record in read_topic(settings, topics.raw)}
    clean: dict[str, Seen] = {}
    dead: dict[str, Seen] = {}
    repeated = 0
    for topic, found in ((topics.clean, clean), (topics.dead_letter, dead)):
        for record in read_topic(settings, topic):
            first = found.setdefault(record.source, record)
            if first is not record:
                repeated += 1
                assert first.content() == record.content(), f"{record.source} was delivered twice, and not the same"
    return Recount(raw, clean, dead, repeated)


def rules_of(record: Seen, name: str) -> list[str]:
    """The rule ids in a findings or warnings header."""
    value = record.header(name)
    return [] if value is None else [finding["rule"] for finding in json.loads(value)]


def assert_exact(
    settings: Settings,
    entities: Iterable[str] = ("orders", "customers", "products"),
    count: Callable[[Settings, str], Recount] = recount,
) -> dict[str, Recount]:
    """The delivery promise: each raw record in exactly one of clean and dead letter, and Redis counts just that."""
    books = Books(settings)
    counted = {}
    for entity in entities:
        counts = counted[entity] = count(settings, entity)
        clean, dead = counts.clean.keys(), counts.dead.keys()
        both = clean & dead
        assert not both, f"{entity}: {len(both)} records are clean and dead-lettered: {sorted(both)[:5]}"
        lost = counts.raw.keys() - clean - dead
        assert not lost, f"{entity}: {len(lost)} records are lost: {sorted(lost)[:5]}"
        strange = (clean | dead) - counts.raw.keys()
        assert not strange, f"{entity}: {len(strange)} records come from nowhere: {sorted(strange)[:5]}"
        for source, record in counts.dead.items():
            original = counts.raw[source]
            assert (record.key, record.value or b"") == (original.key, original.value or b""), source
        deletes = {source for source, record in counts.clean.items() if record.value is None}
        assert all(counts.raw[source].key == counts.clean[source].key for source in deletes)
        wanted = Counter(
            {"in": len(counts.raw), "clean": len(clean) - len(deletes), "rejected": len(dead), "deleted": len(deletes)}
        )
        for record in counts.dead.values():
            wanted.update(f"f:{rule}" for rule in rules_of(record, FINDINGS))
        for record in counts.clean.values():
            wanted.update(f"f:{rule}" for rule in rules_of(record, WARNINGS))
        if entity == "orders":
            bodies = [json.loads(record.value) for record in counts.clean.values() if record.value is not None]
            wanted["rev"] = sum(round(body["quantity"] * body["price"] * 100) for body in bodies)
            reused = {counts.clean[source].key for source in deletes}
            ids = [body["order_id"] for body in bodies if str(body["order_id"]).encode() not in reused]
            assert len(ids) == len(set(ids)), "an order id is clean twice"
        total = books.total(entity)
        found = {name: n for name, n in total.items() if n and (name in {*wanted, "deleted"} or name.startswith("f:"))}
        assert found == {name: n for name, n in wanted.items() if n}, f"{entity}: Redis and the topics differ"
        assert total.get("pending", 0) == 0, f"{entity}: {total['pending']} pending"
        assert books.waiting(entity) == 0, f"{entity}: {books.waiting(entity)} wait"
        everything = {name: n for name, n in total.items() if n and name not in ("et", "at")}
        for grain in Grain:
            windows = {name: n for name, n in books.windows(entity, grain).items() if n}
            assert windows == everything, f"{entity}: the {grain} windows do not add up to the totals"
    return counted
