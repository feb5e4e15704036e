"""Show what the last run of `make chaos` cost, fault by fault; ``--page`` writes docs/explanation/faults.md."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parent.parent
INTRODUCTION = """\
# What faults cost

`make chaos` runs three workers on three nodes of Apache Kafka (three replicas, `min.insync.replicas` 2) and a Redis with an
AOF. Proxies between them cut, delay and swallow what is sent. A producer sends orders all the time, among them bad ones,
duplicates and orders whose customer becomes known later. Five seeds make five schedules of faults; two of them deliver exactly
once.

After each run every topic is read:

- The input is every record in the raw topic. Every record that Kafka has acknowledged must be there.
- Of a raw topic that was deleted, the input is every record that has a verdict. What the workers had not judged is gone with
  it.
- Every input record is in exactly one of the clean and the dead-letter topic. A record that was delivered twice has the same
  source and the same bytes; with exactly-once delivery there is none.
- The counts in Redis (totals, rules, revenue, every window) equal the recount.
- A good order with known references is clean, and a bad one is not, whatever happened while it was judged.

`make chaos SEED=3` repeats a schedule, `FAULTS=redis-flush,zombie` chooses faults. `scripts/faults_table.py` wrote the tables.
"""


def rows(documents: Sequence[dict[str, Any]]) -> list[str]:
    """Return the table of faults and recovery times in Markdown."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for document in documents:
        for fault in document["faults"]:
            found[fault["fault"]].append(fault)
    lines = ["| fault | what happens | times | lasts | recovery | longest |", "|---|---|--:|--:|--:|--:|"]
    for name, strikes in sorted(found.items()):
        lasts, recovery = ([one[field] for one in strikes] for field in ("outage", "recovery"))
        text = strikes[0]["text"].replace("``", "`")
        seconds = f"{median(lasts):.1f} s | {median(recovery):.1f} s | {max(recovery):.1f} s"
        lines.append(f"| `{name}` | {text} | {len(strikes)} | {seconds} |")
    return lines


def page(documents: Sequence[dict[str, Any]]) -> str:
    """Return the page."""
    results = ["| seed | delivery | result |", "|--:|---|---|"]
    for document in documents:
        delivery = "exactly once" if document["exactly_once"] else "at least once"
        results.append(f"| {document['seed']} | {delivery} | {document['result']} |")
    recovery = (
        "Recovery is the time from the end of the fault until Redis has counted every order that was acknowledged more than "
        "two seconds before. Faults overlap, so a time may be due to another one. Medians, and the longest recovery:"
    )
    return "\n".join([INTRODUCTION, "## Recovery", "", recovery, "", *rows(documents), "", "## Runs", "", *results, ""])


def read() -> list[dict[str, Any]]:
    """Return the reports of the last runs, by seed."""
    files = sorted((ROOT / "build" / "chaos").glob("seed-*.json"))
    return sorted((json.loads(file.read_text("utf-8")) for file in files), key=lambda one: one["seed"])


if __name__ == "__main__":
    reports = read()
    if not reports:
        sys.exit("no report in build/chaos; run `make chaos` first")
    if "--page" in sys.argv[1:]:
        (ROOT / "docs" / "explanation" / "faults.md").write_text(page(reports), encoding="utf-8")
    sys.stdout.write("\n".join(rows(reports)) + "\n")
