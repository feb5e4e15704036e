"""Latency from raw to clean at a steady rate: ``python -m benchmarks.latency [--rate 1000] [--seconds 20] [--kafka]``."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
import uuid

import confluent_kafka

from benchmarks.throughput import services
from benchmarks.workload import load, orders
from stream_app.settings import load_settings


def measure(bootstrap: str, redis_url: str, rate: int, seconds: int) -> list[float]:
    """Return the milliseconds from ``produce`` to a subscriber of orders.clean for every clean record, in ascending order."""
    prefix = f"l{uuid.uuid4().hex[:6]}-"
    settings = load_settings(kafka=bootstrap, topic_prefix=prefix)
    load(settings, 0)
    env = os.environ | {
        "HEADRACE_KAFKA": bootstrap, "HEADRACE_REDIS": redis_url, "HEADRACE_GROUP": prefix,
        "HEADRACE_REDIS_PREFIX": prefix, "HEADRACE_TOPIC_PREFIX": prefix,
    }  # fmt: skip
    worker = subprocess.Popen([sys.executable, "-m", "headrace", "worker"], env=env)
    sent: dict[int, float] = {}
    arrived: dict[int, float] = {}
    stop = threading.Event()
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": bootstrap, "group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest", "fetch.wait.max.ms": 10}
    )
    clean = f"{prefix}orders.clean"
    consumer.assign([confluent_kafka.TopicPartition(clean, number, 0) for number in range(settings.partitions)])

    def subscribe() -> None:
        while not stop.is_set():
            message = consumer.poll(0.2)
            if message is not None and not message.error():
                arrived[json.loads(message.value() or b"{}")["order_id"]] = time.perf_counter()

    thread = threading.Thread(target=subscribe)
    thread.start()
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "linger.ms": 5})
    rows = orders(rate * (seconds + 15))
    try:
        began = time.perf_counter()
        warm = rate * 15
        for index, (key, value) in enumerate(rows):
            due = began + index / rate
            while (now := time.perf_counter()) < due:
                time.sleep(min(0.002, due - now))
            if index >= warm:
                sent[index + 1] = time.perf_counter()
            producer.produce(f"{prefix}orders", value, key)
            producer.poll(0)
        producer.flush()
        time.sleep(2)
    finally:
        stop.set()
        thread.join()
        consumer.close()
        worker.terminate()
        worker.wait(20)
    return sorted((arrived[number] - at) * 1000 for number, at in sent.items() if number in arrived)


def main() -> None:
    """Measure and print percentiles."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--kafka", action="store_true", help="Apache Kafka instead of the embedded broker")
    options = parser.parse_args()
    with services(real=options.kafka) as (bootstrap, redis_url):
        times = measure(bootstrap, redis_url, options.rate, options.seconds)
    if not times:
        raise SystemExit("no clean record arrived; see the worker's log above")
    broker = "Apache Kafka" if options.kafka else "embedded broker"
    shown = ", ".join(f"p{p} {times[min(len(times) - 1, int(len(times) * p / 100))]:.1f} ms" for p in (50, 90, 99))
    print(f"{broker}, {options.rate} records/s, {len(times):,} clean records: {shown}, max {times[-1]:.1f} ms")


if __name__ == "__main__":
    main()
