"""CEL conditions of the built-in orders: evaluated by the library, as Python per record, and as Python over columns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.judge import seconds
from benchmarks.workload import orders
from stream_app.contract import load_shop
from stream_app.judge import Judge
from stream_app.judge.cel.conditions import RecordCheck, column_check, library_check, translated_check
from stream_app.judge.models import build_models

_RECORDS = 20_000


def one_by_one(check: RecordCheck, records: list[dict[str, Any]], now: int) -> list[bool]:
    """Check every record by itself."""
    return [check(values, now) for values in records]


def main() -> None:
    """Measure each condition in turn and print the medians of seven runs, in CPU time per record."""
    contract, now = load_shop().contracts["orders"], int(time.time() * 1000)
    raws: list[bytes | None] = [value for _, value in orders(_RECORDS)]
    # Only records without a finding or a repair; in columns and, with pydantic's moments, one by one.
    marked = Judge(contract).judge_all(raws, [now] * _RECORDS).marked
    clean = [raw for index, raw in enumerate(raws) if index not in marked]
    fast = build_models(contract).fast
    records = [fast(raw) for raw in clean if raw is not None]
    as_of = [now] * len(clean)
    verdicts = Judge(contract).judge_all(clean, as_of)

    print(f"{'CPU µs a record':40} {'library':>8} {'record':>8} {'columns':>8}")
    for condition in contract.conditions:
        library, record = library_check(condition, contract), translated_check(condition, contract)
        vectorised = column_check(condition, contract)
        assert record is not None
        assert vectorised is not None
        runs: list[Callable[[], object]] = [
            partial(one_by_one, library, records, now),
            partial(one_by_one, record, records, now),
            partial(vectorised, [verdicts.column(name) for name in condition.fields], as_of),
        ]
        times = [[seconds(run) for run in runs] for _ in range(7)]
        each = [statistics.median(found) / len(clean) * 1e6 for found in zip(*times, strict=True)]
        print(f"{condition.expression:40} " + " ".join(f"{one:8.2f}" for one in each))


if __name__ == "__main__":
    main()
