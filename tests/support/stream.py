"""Driving a stream in tests: topics, generated records, workers as processes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from headrace.embedded.child import GUARD
from stream_app.contract import load_shop
from stream_app.contract.model import Shop
from stream_app.kafka.admin import ensure_topics
from stream_app.names import SOURCE, Topics
from stream_app.settings import Settings
from stream_app.store.connection import connect
from stream_app.store.keys import Keys
from stream_app.windows.grain import Grain
from tests.support.processes import as_environment, clean_environment, headrace_command
from tests.support.waiting import eventually

FRAGILE = Path(__file__).with_name("fragile.py")
Headers = tuple[tuple[str, bytes | None], ...]
#: 2023-11-14T22:13:20Z, in seconds.
BEGIN = 1_700_000_000


@dataclass(frozen=True, slots=True)
class Raw:
    """A record to produce; ``timestamp`` in ms, now by default."""

    entity: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int = -1
    timestamp: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """A record as it was read back."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers

    def header(self, name: str) -> bytes | None:
        """The last value of a header."""
        return dict(self.headers).get(name)

    @property
    def source(self) -> str:
        """Where the raw record was that this one came from."""
        return (self.header(SOURCE) or b"").decode()

    @property
    def own_source(self) -> str:
        """Where this record itself is, in the same form."""
        return f"{self.topic}:{self.partition}:{self.offset}"

    def content(self) -> tuple[object, ...]:
        """Everything that must be the same when a record is delivered twice."""
        return self.partition, self.timestamp, self.key, self.value, self.headers


# --- records -------------------------------------------------------------------------------------------------------


def compact(entity: str, key: object, **fields: Any) -> Raw:
    """A record as producers make them."""
    return Raw(entity, str(key).encode(), json.dumps(fields, separators=(",", ":")).encode())


def customer(number: int, **changes: Any) -> Raw:
    """A good customer."""
    fields = {"customer_id": number, "name": "Ada Byron", "email": f"ada{number}@example.org", "country": "France"}
    return compact("customers", number, **(fields | changes))


def product(number: int, **changes: Any) -> Raw:
    """A good product."""
    return compact("products", number, **({"product_id": number, "category": "Toys", "unit_price": 9.5} | changes))


def order(number: int, customer_id: int = 1, product_id: int = 1, **changes: Any) -> Raw:
    """A good order, a second after the one before."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(BEGIN + number))
    fields = {
        "order_id": number, "customer_id": customer_id, "product_id": product_id, "quantity": 2, "price": 9.5,
        "order_date": moment,
    }  # fmt: skip
    return compact("orders", customer_id, **(fields | changes))


def tombstone(entity: str, number: int) -> Raw:
    """A record with a key and no value, which deletes."""
    return Raw(entity, b"%d" % number, None, headers=(("trace", b"1"),))


def on_partition(number: int, records: Iterable[Raw]) -> list[Raw]:
    """The same records, all on one partition."""
    return [replace(record, partition=number) for record in records]


@dataclass
class Shopping:
    """A seeded shop: what its references know at first, its orders, and the customers that become known late."""

    seed: int
    orders: int
    early: list[Raw] = field(default_factory=list)
    stream: list[Raw] = field(default_factory=list)
    late: list[Raw] = field(default_factory=list)

    def __post_init__(self) -> None:
        chance = random.Random(self.seed)
        self.early = [product(n) for n in range(1, 201)] + [customer(n) for n in range(1, 1001)]
        self.early += [customer(n, country="Atlantis") for n in range(5001, 5011)] + [product(7, unit_price=-1)]
        self.late = [customer(n) for n in range(2001, 2051)] + [product(n) for n in range(301, 306)]
        chance.shuffle(self.early)
        self.stream = [self._order(n, chance) for n in range(1, self.orders + 1)]

    @staticmethod
    def _order(number: int, chance: random.Random) -> Raw:
        buyer, bought = chance.randrange(1, 1001), chance.randrange(1, 201)
        draw = chance.random()
        if draw < 0.02:
            return order(number, buyer, bought, quantity=-1)
        if draw < 0.04:  # a duplicate, mostly on another partition than the first
            return order(max(1, number - chance.randrange(1, 400)), buyer, bought)
        if draw < 0.06:  # becomes known late
            return order(number, chance.randrange(2001, 2051), bought)
        if draw < 0.065:
            return order(number, buyer, chance.randrange(301, 306))
        if draw < 0.075:  # never becomes known
            return order(number, chance.randrange(9001, 9011), bought)
        if draw < 0.08:  # its customer was rejected, and its product is not known either
            return order(number, 5001 + number % 10, 999)
        if draw < 0.085:
            return Raw("orders", b"k%d" % buyer, chance.choice([b"", b"{", b"\xff\xfe", b"[1]", None, b'{"order_id":1}']))
        if draw < 0.10:  # to be repaired
            return order(number, buyer, bought, quantity=" 3 ")
        if draw < 0.11:  # a warning
            return order(number, buyer, bought, coupon="X")
        if draw < 0.12:  # rejected, and a duplicate besides
            return order(max(1, number - chance.randrange(1, 400)), buyer, bought, price=-1.5)
        return order(number, buyer, bought)


# --- topics ----------------------------------------------------------------------------------------------------------


def make_topics(settings: Settings, shop: Shop | None = None) -> None:
    """Create the topics of a shop, the built-in one by default."""
    ensure_topics(settings, (shop or load_shop(settings.shop)).contracts)


def produce(settings: Settings, records: Iterable[Raw], pace: Iterator[float] | None = None) -> int:
    """Send records and wait for their acknowledgement; ``pace`` yields seconds to wait after each."""
    producer = Producer({
        "bootstrap.servers": settings.kafka, "linger.ms": 5, "message.max.bytes": 1_200_000, "log_level": 0,
        "partitioner": "murmur2_random",
    })  # fmt: skip
    failures: list[object] = []
    count = 0
    for record in records:
        count += 1
        producer.produce(
            Topics(record.entity, settings.topic_prefix).raw,
            record.value,
            record.key,
            record.partition,
            headers=list(record.headers),
            timestamp=record.timestamp,
            on_delivery=lambda error, _: failures.append(error) if error else None,
        )
        producer.poll(0)
        if pace is not None:
            wait = next(pace)
            if wait:
                producer.flush(30)
                time.sleep(wait)
    assert producer.flush(60) == 0, "not everything was acknowledged"
    assert not failures, failures[:3]
    return count


def seen(message: Any) -> Seen:
    """A message of the client, whose types allow it to be without topic and offset."""
    headers = tuple(message.headers() or ())
    at = message.timestamp()[1]
    return Seen(message.topic(), message.partition(), message.offset(), at, message.key(), message.value(), headers)


def read_topic(settings: Settings, topic: str) -> list[Seen]:
    """Everything that a topic holds, to the end of every partition."""
    consumer = Consumer({
        "bootstrap.servers": settings.kafka, "group.id": "reader", "enable.partition.eof": True, "log_level": 0,
        "enable.auto.commit": False, "auto.offset.reset": "earliest", "fetch.wait.max.ms": 20,
        "isolation.level": "read_committed",
    })  # fmt: skip
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        records: list[Seen] = []
        left, deadline = set(partitions), time.monotonic() + 60
        while left:
            assert time.monotonic() < deadline, f"{topic}: no end of the partitions {left}"
            for message in consumer.consume(2000, timeout=0.1):
                error = message.error()
                if error is None:
                    records.append(seen(message))
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - public, and named so because no broker sends it
                    left.discard(message.partition())
        return records
    finally:
        consumer.close()


# --- workers ---------------------------------------------------------------------------------------------------------


class Worker:
    """A worker as a process of its own."""

    def __init__(
        self, settings: Settings, log: Path, fragile: tuple[str, int] | None = None, script: Path | None = None
    ) -> None:
        """``fragile``: where it kills itself, and at which call (see ``tests.support.fragile``); ``script``: what runs it."""
        command = headrace_command("worker") if script is None else [sys.executable, str(script)]
        if fragile is not None:
            command = [sys.executable, str(FRAGILE), fragile[0], str(fragile[1])]
        command = [sys.executable, "-I", "-S", str(GUARD), str(os.getpid()), *command]  # ends with us, even if we are killed
        self.log = log
        root = str(FRAGILE.parent.parent.parent)
        environment = clean_environment(**as_environment(settings)) | {"PYTHONPATH": root}
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.running:
            self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL."""
        self.signal(signal.SIGKILL)
        self.process.wait()

    def terminate(self, timeout: float = 10) -> int:
        """SIGTERM; returns the exit code."""
        self.signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def output(self) -> str:
        """Output of the worker so far."""
        return self.log.read_text(errors="replace")


@contextmanager
def workers(settings: Settings, folder: Path, count: int = 1) -> Iterator[list[Worker]]:
    """``count`` running workers; whatever stands in the list at the end is stopped."""
    running = [Worker(settings, folder / f"worker-{number}.log") for number in range(count)]
    try:
        yield running
    finally:
        for worker in running:
            worker.signal(signal.SIGCONT)
            worker.signal(signal.SIGTERM)
        for worker in running:
            try:
                worker.process.wait(10)
            except subprocess.TimeoutExpired:
                worker.kill()


@contextmanager
def scripted_worker(settings: Settings, folder: Path, script: str) -> Iterator[Worker]:
    """A worker that Python text runs, such as one with a part replaced; killed at the end."""
    (folder / "worker.py").write_text(script)
    worker = Worker(settings, folder / "worker.log", script=folder / "worker.py")
    try:
        yield worker
    finally:
        worker.kill()


# --- the store, looked at from outside -------------------------------------------------------------------------------


class Books:
    """Counts in Redis."""

    def __init__(self, settings: Settings) -> None:
        self.client: Any = connect(settings)
        self.keys = Keys(settings.redis_prefix)

    def total(self, entity: str) -> dict[str, int]:
        """The totals of one entity."""
        return {name: int(value) for name, value in self.client.hgetall(self.keys.total(entity)).items()}

    def windows(self, entity: str, grain: Grain) -> Counter[str]:
        """The sum of all windows of one length, without the counts by segment."""
        total: Counter[str] = Counter()
        for start in self.client.zrange(self.keys.windows(entity, grain), 0, -1):
            for name, value in self.client.hgetall(self.keys.window(entity, grain, int(start))).items():
                if not name.startswith("s|"):
                    total[name] += int(value)
        return total

    def waiting(self, entity: str) -> int:
        """How many records wait."""
        return int(self.client.hlen(self.keys.waiting(entity)))

    def settled(self, entity: str, count: int) -> bool:
        """True if ``count`` records are in and none of them waits."""
        total = self.total(entity)
        return total.get("in", 0) >= count and not total.get("pending", 0)


def await_workers(settings: Settings, crew: Sequence[Worker], timeout: float = 45) -> None:
    """Wait until the workers report."""
    books = Books(settings)

    def state() -> bool:
        for worker in crew:
            assert worker.running, f"a worker ended with {worker.process.returncode}:\n{worker.output()[-3000:]}"
        reports = [json.loads(row) for row in books.client.hvals(books.keys.workers())]
        return {worker.pid for worker in crew} <= {row["pid"] for row in reports}

    eventually(state, "all workers report", timeout)


def await_settled(settings: Settings, counts: dict[str, int], crew: Sequence[Worker] = (), timeout: float = 60) -> None:
    """Wait until ``counts`` records of each entity are clean or rejected."""
    books = Books(settings)

    def state() -> bool:
        for worker in crew:
            assert worker.running, f"a worker ended with {worker.process.returncode}:\n{worker.output()[-3000:]}"
        return all(books.settled(entity, count) for entity, count in counts.items())

    try:
        eventually(state, "every record is settled", timeout)
    except AssertionError as error:
        found = {entity: books.total(entity) for entity in counts}
        raise AssertionError(
            f"{error}\nwanted {counts}, found {found}\n" + "\n".join(w.output()[-1500:] for w in crew)
        ) from None
