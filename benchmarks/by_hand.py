"""The worker's job as one would write it by hand: ``python -m benchmarks.by_hand BOOTSTRAP TOPIC COUNT GOOD BAD REDIS_URL``.

A confluent-kafka loop with the same pydantic validators. References, order ids and minute counts are in Redis, in two pipelines
per batch; records go to a clean or a dead-letter topic with source and contract headers, and offsets are committed after a
flush. It is not exact when it is killed, and it has no repairs, reasons, waiting records, prices, outliers or segments.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections import Counter
from typing import Any

import confluent_kafka as ck
import redis

from benchmarks.usage import own_cpu
from benchmarks.workload import CUSTOMERS, PRODUCTS
from stream_app.contract import load_shop
from stream_app.judge.models import build_models

#: Messages of one batch.
BATCH = 5_000


class Loop:
    """Consumes, checks, produces, counts and commits, a batch at a time."""

    def __init__(self, bootstrap: str, source: str, good: str, bad: str, redis_url: str) -> None:
        contract = load_shop().contracts["orders"]
        models = build_models(contract)
        self._validate, self._dump = models.exact, models.dump
        self._contract = ("headrace.contract", contract.name_and_version.encode())
        self._redis: Any = redis.Redis.from_url(redis_url)
        self._name, self._source = uuid.uuid4().hex[:8], source
        self._good, self._bad = good, bad
        self._redis.hset(f"{self._name}:customers", mapping={str(number): 1 for number in range(CUSTOMERS)})
        self._redis.hset(f"{self._name}:products", mapping={str(number): 1 for number in range(PRODUCTS)})
        self._consumer = ck.Consumer(
            {
                "bootstrap.servers": bootstrap, "group.id": self._name, "auto.offset.reset": "earliest",
                "enable.auto.commit": False, "fetch.wait.max.ms": 100, "queued.min.messages": 200_000,
            }
        )  # fmt: skip
        self._producer = ck.Producer(
            {"bootstrap.servers": bootstrap, "linger.ms": 5, "acks": "all", "queue.buffering.max.messages": 1_000_000}
        )
        self._consumer.subscribe([source])

    def run(self, count: int) -> tuple[float, float]:
        """Handle ``count`` messages; return the seconds and the CPU seconds from the first of them on."""
        done, began, cpu = 0, 0.0, 0.0
        while done < count:
            messages = self._consumer.consume(BATCH, 0.5)
            if not messages:
                continue
            if not done:
                began, cpu = time.perf_counter(), own_cpu()
            self._handle(messages)
            done += len(messages)
        found = time.perf_counter() - began, own_cpu() - cpu
        self._consumer.close()
        for key in self._redis.scan_iter(f"{self._name}:*", count=1000):
            self._redis.unlink(key)
        return found

    def _handle(self, messages: list[Any]) -> None:
        rows = [(message, *self._parse(message.value())) for message in messages]
        known = self._known([values for _, values, _ in rows if values is not None])
        fresh: dict[str, bytes] = {}
        minutes: Counter[tuple[int, str]] = Counter()
        for message, values, body in rows:
            source = b"%b:%d:%d" % (self._source.encode(), message.partition(), message.offset())
            good = False
            if values is not None:
                order = str(values["order_id"])
                good = values["customer_id"] in known[0] and values["product_id"] in known[1]
                good = good and order not in known[2] and order not in fresh
                if good:
                    fresh[order] = source
                minute = int(values["order_date"].timestamp()) // 60
                minutes[minute, "in"] += 1
                minutes[minute, "clean" if good else "rejected"] += 1
                minutes[minute, "revenue"] += round(values["quantity"] * values["price"] * 100)
            self._producer.produce(
                self._good if good else self._bad, body, message.key(), message.partition(),
                headers=[("headrace.source", source), self._contract],
            )  # fmt: skip
        self._producer.flush()
        self._count(fresh, minutes)
        self._consumer.commit(asynchronous=False)

    def _parse(self, raw: bytes) -> tuple[dict[str, Any] | None, bytes]:
        try:
            values = self._validate(raw)
            return values, self._dump(values)
        except ValueError:
            return None, raw

    def _known(self, orders: list[dict[str, Any]]) -> list[set[Any]]:
        """Return which customers, products and orders are known."""
        asked: list[tuple[str, list[Any]]] = [
            ("customers", list({order["customer_id"] for order in orders})),
            ("products", list({order["product_id"] for order in orders})),
            ("orders", [str(order["order_id"]) for order in orders]),
        ]
        if not orders:
            return [set() for _ in asked]
        pipe = self._redis.pipeline(transaction=False)
        for what, ids in asked:
            pipe.hmget(f"{self._name}:{what}", ids)
        answers = pipe.execute()
        return [
            {one for one, found in zip(ids, answer, strict=True) if found}
            for (_, ids), answer in zip(asked, answers, strict=True)
        ]

    def _count(self, fresh: dict[str, bytes], minutes: Counter[tuple[int, str]]) -> None:
        pipe = self._redis.pipeline(transaction=False)
        if fresh:
            pipe.hset(f"{self._name}:orders", mapping=fresh)
        for (minute, field), number in minutes.items():
            pipe.hincrby(f"{self._name}:window:{minute}", field, number)
        pipe.execute()


def main() -> None:
    """Run the loop; print its seconds and CPU seconds as JSON."""
    bootstrap, source, count, good, bad, redis_url = sys.argv[1:7]
    seconds, cpu = Loop(bootstrap, source, good, bad, redis_url).run(int(count))
    print(json.dumps({"seconds": seconds, "cpu": cpu}))


if __name__ == "__main__":
    main()
