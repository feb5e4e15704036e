"""CPU time of all rules in memory, against bare pydantic validation and serialisation: ``python -m benchmarks.judge``."""

from __future__ import annotations

import itertools
import statistics
import time
import tracemalloc
from collections.abc import Callable

from benchmarks.peers import validator
from benchmarks.workload import CUSTOMERS, orders, prices
from stream_app.contract import load_shop
from stream_app.judge import Judge
from stream_app.judge.baseline import MAX_GROUPS, Baseline
from stream_app.judge.related import Known, Related
from stream_app.process import collect_garbage_rarely

_BATCH = 4_000


def seconds(run: Callable[[], object]) -> float:
    """Return CPU seconds of this thread for one run."""
    began = time.thread_time()
    run()
    return time.thread_time() - began


def baseline(groups: int) -> Baseline:
    """Return bounds for that many products, which no order breaks."""
    bounds = {str(number): (0.001, 1e9) for number in range(groups)}
    return Baseline(1, {"quantity_outlier": dict(bounds), "price_outlier": dict(bounds)})


def main() -> None:
    """Measure in turn; print medians, their ratios, and the memory of a full baseline."""
    contract = load_shop().contracts["orders"]
    rows: list[bytes | None] = [value for _, value in orders(100_000)]
    process, judge, related, now = validator(), Judge(contract), Related(contract), int(time.time() * 1000)
    known = {
        "customer_id": {number: Known(1, 1, {"country": "France"}) for number in range(CUSTOMERS)},
        "product_id": {number: Known(1, 1, {"unit_price": price}) for number, price in enumerate(prices())},
    }
    usual = baseline(len(prices()))

    def judged(*, all_rules: bool) -> None:
        for batch in (rows[begin : begin + _BATCH] for begin in range(0, len(rows), _BATCH)):
            verdicts = judge.judge_all(batch, list(itertools.repeat(now, len(batch))))
            if all_rules:
                related.find(verdicts, (), known, usual)

    runs: dict[str, Callable[[], object]] = {
        "bare validate and serialise": lambda: [process(row) for row in rows],  # type: ignore[arg-type]
        "the judge": lambda: judged(all_rules=False),
        "the judge and the rules over other records": lambda: judged(all_rules=True),
    }
    collect_garbage_rarely()  # as the worker does
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(7):
        for name, run in runs.items():
            times[name].append(seconds(run))
    bare = statistics.median(times["bare validate and serialise"])
    for name, found in times.items():
        each = statistics.median(found)
        print(f"{name:44} {each / len(rows) * 1e6:5.2f} µs per record   {each / bare:4.2f} ×")
    tracemalloc.start()
    full = baseline(MAX_GROUPS)
    size = tracemalloc.get_traced_memory()[0] / 1e6
    print(f"memory of a baseline of {MAX_GROUPS:,} groups for each of {len(full.bounds)} rules: {size:.1f} MB per worker")


if __name__ == "__main__":
    main()
