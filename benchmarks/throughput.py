"""Throughput of the full worker against bare loops: same broker, same records, in turn, in one run.

``python -m benchmarks.throughput [--records 200000] [--rounds 3] [--kafka]``; ``--kafka`` uses Apache Kafka.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import redis
from kafka.admin import KafkaAdminClient, NewTopic

from benchmarks.workload import load
from headrace.embedded.kafka import apache_kafka
from headrace.embedded.stack import EmbeddedStack
from stream_app.counts.fields import RECEIVED
from stream_app.settings import Settings, load_settings
from stream_app.store.keys import Keys


def worker(settings: Settings, redis_url: str, count: int, processes: int = 1, exactly_once: str = "off") -> float:
    """Return the seconds of the full worker for ``count`` orders without its start, extrapolated from its first batch."""
    prefix, group = f"bench-{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
    client, total = redis.Redis.from_url(redis_url), Keys(prefix).total("orders")
    env = os.environ | {
        "HEADRACE_KAFKA": settings.kafka, "HEADRACE_REDIS": redis_url, "HEADRACE_GROUP": group,
        "HEADRACE_REDIS_PREFIX": prefix, "HEADRACE_TOPIC_PREFIX": settings.topic_prefix,
        "HEADRACE_EXACTLY_ONCE": exactly_once,
    }  # fmt: skip
    process = subprocess.Popen([sys.executable, "-m", "headrace", "worker", f"--processes={processes}"], env=env)
    try:
        first: tuple[float, int] | None = None
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            done = int(client.hget(total, RECEIVED) or 0)
            now = time.perf_counter()
            if done and first is None:
                first = (now, done)
            if first is not None and done >= count:
                rate = (done - first[1]) / max(1e-9, now - first[0])
                return count / rate
            if process.poll() is not None:
                raise SystemExit(f"the worker ended with exit code {process.returncode}; see its log above")
            time.sleep(0.005)
        raise SystemExit("the worker did not finish within 180 s; use fewer --records")
    finally:
        process.terminate()
        process.wait(20)
        for key in client.scan_iter(f"{prefix}:*", count=1000):
            client.unlink(key)
        client.close()


def peer(name: str, settings: Settings, count: int) -> float:
    """Return the seconds of a bare loop."""
    good, bad = f"good-{uuid.uuid4().hex[:8]}", f"bad-{uuid.uuid4().hex[:8]}"
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka)
    parts = settings.partitions
    admin.create_topics([NewTopic(name=topic, num_partitions=parts, replication_factor=1) for topic in (good, bad)])
    admin.close()
    command = [sys.executable, "-m", "benchmarks.peers", name, settings.kafka, f"{settings.topic_prefix}orders", str(count)]
    output = subprocess.run([*command, good, bad], check=True, capture_output=True, text=True, timeout=300).stdout
    return float(json.loads(output.splitlines()[-1])["seconds"])


@contextlib.contextmanager
def services(*, real: bool) -> Iterator[tuple[str, str]]:
    """Run a broker and a Redis; yield the bootstrap servers and the URL of Redis."""
    with EmbeddedStack() as stack:
        if not real:
            yield stack.kafka, stack.redis_url
            return
        with apache_kafka(Path(".cache")) as bootstrap:
            yield bootstrap, stack.redis_url


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kafka", action="store_true", help="Apache Kafka instead of the embedded broker")
    options = parser.parse_args()
    with services(real=options.kafka) as (kafka, redis_url):
        settings = load_settings(kafka=kafka, topic_prefix=f"b{uuid.uuid4().hex[:6]}-")
        load(settings, options.records)
        contenders = {name: functools.partial(peer, name) for name in ("confluent", "aiokafka")}
        contenders["headrace"] = functools.partial(worker, redis_url=redis_url)
        contenders["headrace × 2"] = functools.partial(worker, redis_url=redis_url, processes=2)
        if options.kafka:  # the embedded broker has no transactions
            contenders["exactly once"] = functools.partial(worker, redis_url=redis_url, exactly_once="on")
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        for number in range(options.rounds):
            for name, contender in contenders.items():
                took = contender(settings=settings, count=options.records)
                seconds[name].append(took)
                print(f"round {number + 1} {name:12} {options.records / took:>10,.0f} records/s", flush=True)
    broker = "Apache Kafka" if options.kafka else "embedded broker"
    print(f"\n{broker}, {options.records:,} records, median of {options.rounds} rounds")
    base = statistics.median(seconds["confluent"])
    for name, times in seconds.items():
        middle = statistics.median(times)
        print(f"{name:12} {options.records / middle:>10,.0f} records/s   {base / middle:5.2f} × confluent")


if __name__ == "__main__":
    main()
