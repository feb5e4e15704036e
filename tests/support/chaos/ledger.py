"""The recount after a run: the topics against the book of what was sent, and Redis against the topics."""

from __future__ import annotations

from collections import Counter

from stream_app.names import Topics
from stream_app.settings import Settings
from tests.support.chaos.traffic import Traffic, expectations
from tests.support.recount import Recount, assert_exact
from tests.support.stream import Books, Seen, read_topic


class Ledger:
    """Recounts the topics of a run.

    The input of an entity is:

    - every record in its raw topic. All that were acknowledged must be there; of those whose fate the producer does not know,
      those that are there;
    - of a raw topic that was deleted, every record that got a verdict: it stands in the clean or the dead-letter topic. What
      the workers had not judged when the topic was deleted is gone with it.
    """

    def __init__(self, traffic: Traffic) -> None:
        self.traffic = traffic
        #: Records that were delivered twice: where first, and where again.
        self.repeats: list[str] = []

    def recount(self, settings: Settings, entity: str) -> Recount:
        """Read an entity's topics by the records' own timestamps; fails on a record that is delivered twice, not the same."""
        topics, book = Topics(entity, settings.topic_prefix), self.traffic.book[entity]
        raw: dict[str, Seen] = {}
        for record in read_topic(settings, topics.raw):
            assert raw.setdefault(str(record.timestamp), record) is record, f"{entity}: Kafka has {record.own_source} twice"
        now = self.traffic.generation if entity == "orders" else 0
        missing = [at for at, one in book.items() if one.acknowledged and one.generation == now and str(at) not in raw]
        assert not missing, f"{entity}: Kafka lost {len(missing)} acknowledged records"
        clean: dict[str, Seen] = {}
        dead: dict[str, Seen] = {}
        repeated = 0
        for topic, found in ((topics.clean, clean), (topics.dead_letter, dead)):
            for record in read_topic(settings, topic):
                name = str(record.timestamp)
                first = found.setdefault(name, record)
                if first is not record:
                    repeated += 1
                    self.repeats.append(f"{record.source}: {first.own_source} and {record.own_source}")
                    assert first.content() == record.content(), f"{record.source} was delivered twice, and not the same"
                elif (present := raw.get(name)) is not None:
                    assert record.source == present.own_source, f"{present.own_source} was delivered as {record.source}"
                elif (sent := book.get(record.timestamp)) is not None and sent.generation < now:
                    raw[name] = Seen(topics.raw, -1, -1, record.timestamp, sent.record.key, sent.record.value, ())
        return Recount(raw, clean, dead, repeated)

    def differences(self, settings: Settings, entity: str) -> str:
        """Which records of an entity have no outcome, which are registered as waiting, and where the workers are."""
        counts, books = self.recount(settings, entity), Books(settings)
        lost = counts.raw.keys() - counts.clean.keys() - counts.dead.keys()
        sources = sorted(counts.raw[name].own_source for name in lost)
        waiting = books.client.hgetall(books.keys.waiting(entity))
        applied = {name: at for name, at in books.client.hgetall(books.keys.applied()).items() if f"{entity}/" in name}
        found = f"{len(counts.raw)} raw, {len(counts.clean)} clean, {len(counts.dead)} dead-lettered, applied {applied}"
        return f"{entity}: {found}; without outcome {sources[:20]}; waiting {dict(list(waiting.items())[:20])}"

    def assert_exact(self, settings: Settings) -> dict[str, Recount]:
        """The promise: every input is in one of clean and dead letter, Redis counts just that, and the verdicts are right."""
        counted = assert_exact(settings, count=self.recount)
        orders, book = counted["orders"], self.traffic.book["orders"]
        for at, expected in expectations(book).items():
            if expected == "clean" and str(at) in orders.dead:
                record = orders.dead[str(at)]
                raise AssertionError(f"a good order was rejected: {record.source}, {record.header('headrace.findings')!r}")
            if expected == "dead" and str(at) in orders.clean:
                raise AssertionError(f"a bad order is clean: {orders.clean[str(at)].source}")
        return counted


def describe(counted: dict[str, Recount]) -> str:
    """One line on a run's result."""
    orders = counted["orders"]
    repeated = Counter({name: one.repeated for name, one in counted.items()})
    return f"{len(orders.clean)} orders clean, {len(orders.dead)} dead-lettered, {repeated.total()} records delivered again"
