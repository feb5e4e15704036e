"""Throughput and CPU time of the full worker, the same job by hand, and bare loops: same broker and records, in turn.

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
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import redis
from kafka.admin import KafkaAdminClient, NewTopic

from benchmarks.usage import Meter, Usage, cpu_of, peak_memory
from benchmarks.workload import load
from headrace.embedded.kafka import apache_kafka
from headrace.embedded.stack import EmbeddedStack
from stream_app.contract import load_shop
from stream_app.counts.fields import RECEIVED
from stream_app.names import Topics
from stream_app.settings import Settings, load_settings
from stream_app.store.keys import Keys


def worker(settings: Settings, redis_url: str, count: int, processes: int = 1, exactly_once: str = "off") -> float:
    """Return the seconds of ``measure_worker``."""
    return measure_worker(settings, redis_url, count, processes, exactly_once).seconds


def measure_worker(settings: Settings, redis_url: str, count: int, processes: int = 1, exactly_once: str = "off") -> Usage:
    """Return what the full worker takes for ``count`` orders without its start, extrapolated from its first batch."""
    prefix, group = f"bench-{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
    client, total = redis.Redis.from_url(redis_url), Keys(prefix).total("orders")
    env = os.environ | {
        "HEADRACE_KAFKA": settings.kafka, "HEADRACE_REDIS": redis_url, "HEADRACE_GROUP": group,
        "HEADRACE_REDIS_PREFIX": prefix, "HEADRACE_TOPIC_PREFIX": settings.topic_prefix,
        "HEADRACE_EXACTLY_ONCE": exactly_once,
    }  # fmt: skip
    meter = Meter(service_ids())
    process = subprocess.Popen([sys.executable, "-m", "headrace", "worker", f"--processes={processes}"], env=env)
    watched = psutil.Process(process.pid)
    try:
        first: tuple[float, int, float] | None = None
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            done = int(client.hget(total, RECEIVED) or 0)
            now = time.perf_counter()
            if done and first is None:
                first = (now, done, cpu_of(watched))
                meter.read()
            if first is not None and done >= count:
                scale = count / max(1, done - first[1])
                services = meter.read()
                cpu, memory = cpu_of(watched) - first[2], peak_memory(watched)
                return Usage(
                    (now - first[0]) * scale, cpu * scale, services["redis"] * scale, services["broker"] * scale, memory
                )
            if process.poll() is not None:
                raise SystemExit(f"the worker ended with exit code {process.returncode}; see its log above")
            time.sleep(0.02)
        raise SystemExit("the worker did not finish within 180 s; use fewer --records")
    finally:
        process.terminate()
        process.wait(20)
        for key in client.scan_iter(f"{prefix}:*", count=1000):
            client.unlink(key)
        client.close()
        _forget_delivered(settings)


def _forget_delivered(settings: Settings) -> None:
    """Delete what the worker has delivered: another group would count that, and judge nothing."""
    topics = [Topics(entity, settings.topic_prefix) for entity in load_shop(None).contracts]
    delivered = {name for one in topics for name in one.all if name != one.raw}
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka)
    admin.delete_topics(sorted(delivered))
    while delivered & {*admin.list_topics()}:
        time.sleep(0.1)
    admin.close()


def bare(name: str, settings: Settings, count: int) -> Usage:
    """Return what a bare loop takes."""
    return _peer(settings, count, ["benchmarks.peers", name])


def by_hand(settings: Settings, redis_url: str, count: int) -> Usage:
    """Return what the same job takes as one would write it by hand."""
    return _peer(settings, count, ["benchmarks.by_hand"], redis_url)


def _peer(settings: Settings, count: int, module: list[str], *more: str) -> Usage:
    topics = f"good-{uuid.uuid4().hex[:8]}", f"bad-{uuid.uuid4().hex[:8]}"
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka)
    parts = settings.partitions
    admin.create_topics([NewTopic(name=topic, num_partitions=parts, replication_factor=1) for topic in topics])
    admin.close()
    arguments = [*module, settings.kafka, f"{settings.topic_prefix}orders", str(count), *topics, *more]
    meter = Meter(service_ids())
    done = subprocess.run([sys.executable, "-m", *arguments], check=True, stdout=subprocess.PIPE, text=True, timeout=300)
    found = json.loads(done.stdout.splitlines()[-1])
    services = meter.read()
    return Usage(float(found["seconds"]), float(found["cpu"]), services["redis"], services["broker"])


def service_ids() -> dict[str, int]:
    """Return the process ids of this process's broker and Redis."""
    names = {"redis-server": "redis", "tansu": "broker", "java": "broker"}
    return {names[child.name()]: child.pid for child in psutil.Process().children() if child.name() in names}


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
        contenders: dict[str, Callable[[], Usage]] = {
            name: functools.partial(bare, name, settings, options.records) for name in ("confluent", "aiokafka")
        }
        contenders["by hand"] = functools.partial(by_hand, settings, redis_url, options.records)
        run = functools.partial(measure_worker, settings, redis_url, options.records)
        contenders["headrace"] = run
        contenders["headrace × 2"] = functools.partial(run, processes=2)
        if options.kafka:  # the embedded broker has no transactions
            contenders["exactly once"] = functools.partial(run, exactly_once="on")
        found: dict[str, list[Usage]] = {name: [] for name in contenders}
        for number in range(options.rounds):
            for name, contender in contenders.items():
                usage = contender()
                found[name].append(usage)
                print(f"round {number + 1} {_row(name, options.records, [usage])}", flush=True)
    broker = "Apache Kafka" if options.kafka else "embedded broker"
    print(f"\n{broker}, {options.records:,} records, median of {options.rounds} rounds; CPU in µs per record")
    for name, usages in found.items():
        ratios = [
            statistics.median(one.seconds / other.seconds for one, other in zip(found[base], usages, strict=True))
            for base in ("confluent", "by hand")
        ]
        print(f"{_row(name, options.records, usages)}   {ratios[0]:5.2f} × confluent   {ratios[1]:5.2f} × by hand")


def _row(name: str, records: int, usages: list[Usage]) -> str:
    def each(*seconds: float) -> float:
        return statistics.median(seconds) / records * 1e6

    rate = records / statistics.median(usage.seconds for usage in usages)
    cpu, store, broker = (each(*(getattr(usage, part) for usage in usages)) for part in ("cpu", "redis", "broker"))
    memory = max(usage.memory for usage in usages)
    shown = f"   {memory / 1e6:4.0f} MB" if memory else " " * 10
    return f"{name:12} {rate:>9,.0f} records/s   CPU {cpu:5.2f}  Redis {store:5.2f}  broker {broker:5.2f}{shown}"


if __name__ == "__main__":
    main()
