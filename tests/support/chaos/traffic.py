"""A shop's orders, sent by a thread as long as a run lasts, with a book of what was sent and what was acknowledged.

Every record has a Kafka timestamp of its own, which clean and dead-letter records keep: it identifies a record even if its
topic is deleted and created anew, and its offset names another record.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from confluent_kafka import Producer

from stream_app.names import Topics
from stream_app.settings import Settings
from tests.support.stream import Raw, Shopping
from tests.support.waiting import eventually

Expected = Literal["clean", "dead", "either"]


@dataclass(slots=True)
class Sent:
    """One record in the book.

    Attributes:
        record: what was sent.
        generation: number of re-creations of its topic before it was sent.
        acknowledged: by all replicas that must; otherwise its fate is unknown, and the topic is asked.
    """

    record: Raw
    generation: int
    acknowledged: bool = False


class Traffic:
    """Sends references at once, then orders at a pace until it is stopped, late references among them."""

    def __init__(self, settings: Settings, seed: int, rate: float, longest: float) -> None:
        """``rate``: orders a second; ``longest``: seconds after which no order is left."""
        self.settings, self.rate = settings, rate
        self.shop = Shopping(seed=seed, orders=int(rate * longest))
        #: Entity → timestamp → record.
        self.book: dict[str, dict[int, Sent]] = {name: {} for name in ("orders", "customers", "products")}
        self.generation = 0
        self.failures: list[str] = []
        self._acknowledged: Counter[tuple[str, int]] = Counter()
        #: (entity, generation) → partitions with records.
        self.reached: defaultdict[tuple[str, int], set[int]] = defaultdict(set)
        self._chance = random.Random(seed)
        # In the past: a burst never overtakes the clock.
        self._clock = int(time.time() * 1000) - 900_000
        self._producer = self._new_producer()
        self._wanted = threading.Event()
        self._paused = threading.Event()
        self._ended = threading.Event()
        self._orders = iter(self.shop.stream)
        self._late = iter(self.shop.late)
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)

    # --- from outside -----------------------------------------------------------------------------------------------

    def references(self) -> dict[str, int]:
        """Send what is known at first; return its number by entity."""
        for record in self.shop.early:
            self._send(record)
        self._flush()
        return {name: len(sent) for name, sent in self.book.items() if sent}

    def start(self) -> None:
        """Send orders from now on."""
        self._wanted.set()
        self._thread.start()

    def pause(self) -> None:
        """Send nothing more until ``resume``; returns when everything is acknowledged."""
        self._wanted.clear()
        eventually(self._paused.is_set, "the producer pauses", 60, 0.01)

    def burst(self, orders: int) -> None:
        """During a pause: send orders at once, and wait for their acknowledgement."""
        for _ in range(orders):
            self._next_order()
        self._flush()

    def resume(self, *, recreated: bool = False) -> None:
        """Go on with a new producer; ``recreated``: into a topic that was created anew."""
        self.generation += recreated
        self._producer = self._new_producer()
        self._wanted.set()

    def stop(self) -> None:
        """Send the late references that are left, and end."""
        self._ended.set()
        self._wanted.set()
        self._thread.join(120)
        assert not self._thread.is_alive(), "the producer does not end: Kafka acknowledges nothing"
        for record in self._late:
            self._send(record)
        self._flush()

    def quit(self) -> None:
        """End the thread, whatever state the run is in."""
        self._ended.set()
        self._wanted.set()
        if self._thread.is_alive():
            self._producer.purge()
            self._thread.join(130)

    def acknowledged(self, entity: str = "orders") -> int:
        """Number of records in the present topic, as far as they are acknowledged."""
        return self._acknowledged[entity, self.generation if entity == "orders" else 0]

    # --- the thread -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            for wait in self._pace():
                if not self._wanted.is_set():
                    self._flush()
                    self._paused.set()
                    self._wanted.wait()
                    self._paused.clear()
                if self._ended.is_set():
                    break
                self._next_order()
                if wait:
                    self._producer.poll(0)
                    time.sleep(wait)  # the pace of the shop, not a wait for anything
        finally:
            self._flush()
            self._paused.set()

    def _pace(self) -> Iterator[float]:
        """Waits after each order: bursts of ten to a hundred."""
        while True:
            burst = self._chance.randrange(10, 100)
            yield from (0.0 for _ in range(burst - 1))
            yield burst / self.rate * self._chance.uniform(0.5, 1.5)

    def _next_order(self) -> None:
        record = next(self._orders, None)
        if record is not None:
            self._send(record)
            if self._chance.random() < 0.01 and (late := next(self._late, None)) is not None:
                self._send(late)

    def _send(self, record: Raw) -> None:
        self._clock += 1
        sent = self.book[record.entity][self._clock] = Sent(record, self.generation if record.entity == "orders" else 0)

        def delivered(error: Any, message: Any) -> None:
            if error is None:
                sent.acknowledged = True
                self.reached[record.entity, sent.generation].add(message.partition())
                self._acknowledged[record.entity, sent.generation] += 1
            else:
                self.failures.append(str(error))

        while True:
            try:
                self._producer.produce(
                    Topics(record.entity, self.settings.topic_prefix).raw, record.value, record.key,
                    timestamp=self._clock, on_delivery=delivered,
                )  # fmt: skip
                break
            except BufferError:
                self._producer.poll(0.1)
        self._producer.poll(0)

    def _flush(self) -> None:
        left = self._producer.flush(120)
        if left:
            self.failures.append(f"{left} records not acknowledged within 120 s")

    def _new_producer(self) -> Producer:
        return Producer({
            "bootstrap.servers": self.settings.kafka, "linger.ms": 5, "log_level": 0, "partitioner": "murmur2_random",
            "acks": "all", "enable.idempotence": True, "message.timeout.ms": 110_000,
            "topic.metadata.refresh.interval.ms": 1_000,
        })  # fmt: skip


def expectations(book: dict[int, Sent]) -> dict[int, Expected]:
    """Timestamp of each order → its verdict, as far as the order alone tells it.

    It does not if the order is one of several with its id, or if its reference was sent late.
    """
    ids: dict[object, int] = {}
    bodies = {at: _body(sent.record) for at, sent in book.items()}
    for body in bodies.values():
        if body is not None:
            ids[body.get("order_id")] = ids.get(body.get("order_id"), 0) + 1
    expected = {at: _expected(body, alone=body is not None and ids[body.get("order_id")] == 1) for at, body in bodies.items()}
    # A tombstone deletes: it is passed on.
    return expected | {at: "clean" for at, sent in book.items() if sent.record.value is None}


def _body(record: Raw) -> dict[str, Any] | None:
    try:
        body = json.loads(record.value or b"")
    except ValueError:
        return None
    return body if isinstance(body, dict) and "price" in body else None


def _expected(body: dict[str, Any] | None, *, alone: bool) -> Expected:
    if body is None or body["quantity"] == -1 or body["price"] < 0:
        return "dead"
    if body["customer_id"] > 5000 or body["product_id"] == 999:
        return "dead"
    if body["customer_id"] > 2000 or body["product_id"] > 300 or not alone:
        return "either"
    return "clean"
