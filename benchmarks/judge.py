"""The judge alone, in memory, against bare pydantic validate-and-serialise of the same records."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from benchmarks.peers import validator
from benchmarks.workload import orders
from stream_app.contract import load_shop
from stream_app.judge import Judge


def seconds(run: Callable[[], object]) -> float:
    """One timed run."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def main() -> None:
    """Measure in turn and print medians and their ratio."""
    rows = [value for _, value in orders(100_000)]
    process, judge, now = validator(), Judge(load_shop().contracts["orders"]).judge, int(time.time() * 1000)
    bare, ours = [], []
    for _ in range(5):
        bare.append(seconds(lambda: [process(row) for row in rows]))
        ours.append(seconds(lambda: [judge(row, now) for row in rows]))
    each = 1e6 / len(rows)
    low, high = statistics.median(bare) * each, statistics.median(ours) * each
    print(f"bare validate and serialise {low:.2f} µs a record, the judge {high:.2f} µs: {high / low:.2f} ×")


if __name__ == "__main__":
    main()
