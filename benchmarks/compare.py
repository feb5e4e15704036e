"""Compare an older checkout with this one, side by side in one run: throughput, latency, memory, the judge.

``python -m benchmarks.compare PATH [--rounds 5] [--only throughput,latency,judge] [--kafka]``

Both checkouts are measured on the same broker and Redis with the packages of this environment, in turn, several times; the
order alternates. The result is the median of the ratios of each round, because the speed of a machine drifts between rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.throughput import services

HERE = Path(__file__).resolve().parent.parent
PROBE = Path(__file__).with_name("probe.py")
KINDS = ("throughput", "latency", "judge")
#: Largest deviation of a ratio that counts as equal.
EQUAL = 0.05

Figures = dict[str, float]


def probe(checkout: Path, arguments: list[str]) -> Figures:
    """Return the figures that the probe measures in one checkout."""
    done = subprocess.run(
        # -P: the folder of the probe does not go on the path, where its modules would hide packages.
        [sys.executable, "-P", str(PROBE), *arguments],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{checkout}: the probe {arguments[0]} ended with exit code {done.returncode}; its output is above")
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def rounds(old: Path, commands: dict[str, list[str]], count: int) -> Iterator[tuple[Figures, Figures]]:
    """Yield the figures of the old and the new checkout for each round; the order alternates."""
    for number in range(count):
        found: dict[Path, Figures] = {old: {}, HERE: {}}
        for kind, arguments in commands.items():
            for checkout in (old, HERE) if number % 2 == 0 else (HERE, old):
                figures = probe(checkout, [kind, *arguments])
                found[checkout] |= figures
                line = {"round": number + 1, "checkout": "old" if checkout == old else "new", **figures}
                print(json.dumps(line, ensure_ascii=False), file=sys.stderr, flush=True)
        yield found[old], found[HERE]


def table(pairs: list[tuple[Figures, Figures]]) -> list[str]:
    """Return a line for each figure: medians, the median of the paired ratios with its range, and a verdict."""
    names = pairs[0][0]
    width = max(map(len, names))
    lines = [f"{'':{width}}  {'old':>10}  {'new':>10}  new ÷ old"]
    for name in names:
        olds, news = [old[name] for old, _ in pairs], [new[name] for _, new in pairs]
        ratios = sorted(new / old for old, new in zip(olds, news, strict=True))
        ratio = statistics.median(ratios)
        gain = ratio - 1 if "records/s" in name else 1 - ratio
        verdict = "equal" if abs(gain) <= EQUAL else "better" if gain > 0 else "WORSE"
        lines.append(
            f"{name:{width}}  {statistics.median(olds):>10,.2f}  {statistics.median(news):>10,.2f}  "
            f"{ratio:.3f} ({ratios[0]:.3f} – {ratios[-1]:.3f})  {verdict}"
        )
    return lines


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("old", type=Path, help="another checkout of this repository")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=",".join(KINDS), help="some of throughput, latency and judge")
    parser.add_argument("--records", type=int, default=400_000, help="orders per measurement of throughput")
    parser.add_argument("--rate", type=int, default=1_000, help="orders per second for latency")
    parser.add_argument("--seconds", type=int, default=10, help="seconds per measurement of latency")
    parser.add_argument("--kafka", action="store_true", help="Apache Kafka instead of the embedded broker")
    given = parser.parse_args()
    old = given.old.resolve()
    if not (old / "benchmarks" / "throughput.py").exists():
        parser.error(f"{old} is not a checkout of this repository: it has no benchmarks/throughput.py")
    unknown = set(given.only.split(",")) - set(KINDS)
    if unknown:
        parser.error(f"unknown measurements {', '.join(sorted(unknown))}; choose from {', '.join(KINDS)}")
    with services(real=given.kafka) as (kafka, redis_url):
        servers = [f"--kafka={kafka}", f"--redis={redis_url}"]
        arguments = {
            "throughput": [*servers, f"--records={given.records}"],
            "latency": [*servers, f"--rate={given.rate}", f"--seconds={given.seconds}"],
            "judge": [],
        }
        pairs = list(rounds(old, {kind: arguments[kind] for kind in given.only.split(",")}, given.rounds))
    broker = "Apache Kafka" if given.kafka else "embedded broker"
    print(f"{broker}, {given.rounds} rounds; equal means within {EQUAL:.0%}")
    print("\n".join(table(pairs)))


if __name__ == "__main__":
    main()
