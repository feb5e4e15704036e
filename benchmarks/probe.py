"""Measure the checkout that comes first on PYTHONPATH, with its own benchmarks, and print one line of JSON.

``benchmarks.compare`` runs this file by its path in both checkouts, so it uses only what both have.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import re
import resource
import threading
import uuid

import psutil

from benchmarks import judge, latency, throughput, workload
from stream_app.settings import load_settings

#: Seconds between two samples of the worker's memory.
SAMPLE = 0.1


def measure_throughput(kafka: str, redis_url: str, records: int) -> dict[str, float]:
    """Return the speed, the CPU time (start included) and the peak memory of one worker."""
    settings = load_settings(kafka=kafka, topic_prefix=f"b{uuid.uuid4().hex[:6]}-")
    workload.load(settings, records)
    peak = 0
    done = threading.Event()

    def sample() -> None:
        nonlocal peak
        me = psutil.Process()
        while not done.wait(SAMPLE):
            for child in me.children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    peak = max(peak, child.memory_info().rss)

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        seconds = throughput.worker(settings, redis_url, records)
    finally:
        done.set()
        sampler.join()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "throughput, records/s": records / seconds,
        "worker CPU, µs per record": (used.ru_utime + used.ru_stime) / records * 1e6,
        "worker memory, MB": peak / 1e6,
    }


def measure_latency(kafka: str, redis_url: str, rate: int, seconds: int) -> dict[str, float]:
    """Return percentiles of the latency from raw to clean."""
    times = latency.measure(kafka, redis_url, rate, seconds)
    return {f"latency p{p}, ms": times[min(len(times) - 1, int(len(times) * p / 100))] for p in (50, 99)}


def measure_judge() -> dict[str, float]:
    """Return CPU time per record of the judge in memory."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        judge.main()
    _, alone, with_rules = re.findall(r"([\d.]+) µs (?:a|per) record", printed.getvalue())
    return {"judge, µs per record": float(alone), "judge and rules over other records, µs per record": float(with_rules)}


def main() -> None:
    """Measure one kind of figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["throughput", "latency", "judge"])
    parser.add_argument("--kafka", default="")
    parser.add_argument("--redis", default="")
    parser.add_argument("--records", type=int, default=0)
    parser.add_argument("--rate", type=int, default=0)
    parser.add_argument("--seconds", type=int, default=0)
    given = parser.parse_args()
    if given.kind == "throughput":
        figures = measure_throughput(given.kafka, given.redis, given.records)
    elif given.kind == "latency":
        figures = measure_latency(given.kafka, given.redis, given.rate, given.seconds)
    else:
        figures = measure_judge()
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
