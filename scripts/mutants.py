"""Run mutation tests on a random sample: ``python scripts/mutants.py [--sample N] [--seed N] [PACKAGE…]``.

mutmut (``[tool.mutmut]`` in pyproject.toml) makes the mutants: copies of a function with one small change, such as ``<``
for ``<=``. A mutant is killed if a unit test fails. This script draws the same number of mutants per package, and prints the
score of each package and the mutants that survived. ``mutmut show NAME`` prints the change of one.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "mutants"
PACKAGES = ("judge", "counts", "monitor")
#: Hypothesis examples per test: few, and the same on each run.
EXAMPLES = "20"
#: Exit codes that mutmut keeps of a mutant's tests. A mutant that runs out of time counts as killed.
OUTCOMES = {0: "survived", 5: "no tests", 33: "no tests", None: "not run"}


def mutmut(*arguments: str) -> None:
    """Run mutmut in the checkout, and stop if it fails."""
    environment = os.environ | {"HEADRACE_TEST_EXAMPLES": EXAMPLES}
    command = [sys.executable, "-m", "mutmut", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False)  # noqa: S603 - our own command, no shell
    if done.returncode:
        raise SystemExit(done.returncode)


def outcomes(package: str) -> dict[str, int | None]:
    """Return exit code by mutant, of all mutants of the package."""
    found: dict[str, int | None] = {}
    for file in sorted((FOLDER / "stream_app" / package).rglob("*.meta")):
        found |= json.loads(file.read_text("utf-8"))["exit_code_by_key"]
    return found


def report(package: str, total: int, sample: dict[str, int | None]) -> None:
    """Print the score of one package, and the mutants that no test killed."""
    counted = Counter(OUTCOMES.get(code, "killed") for code in sample.values())
    tried = len(sample) - counted["not run"]
    print(f"\n{package}: {counted['killed']} of {tried} killed ({counted['killed'] / max(1, tried):.0%}), ", end="")
    print(f"{counted['survived']} survived, {counted['no tests']} without tests; {total} mutants in all")
    for name, code in sorted(sample.items()):
        if OUTCOMES.get(code, "killed") != "killed":
            print(f"  {OUTCOMES[code]}: {name}")


def main() -> None:
    """Run the sample and print the score of each package."""
    parser = argparse.ArgumentParser(description="Mutation tests on a random sample of mutants.")
    parser.add_argument("--sample", type=int, default=110, help="mutants per package; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("packages", nargs="*", choices=[*PACKAGES, []], default=list(PACKAGES), metavar="PACKAGE")
    options = parser.parse_args()
    if not (FOLDER / "mutmut-stats.json").exists():  # makes all mutants, and finds out which tests run which function
        mutmut("run", "stream_app.counts.window.x_*__mutmut_1")
    for package in options.packages or PACKAGES:
        names = sorted(outcomes(package))
        size = min(options.sample or len(names), len(names))
        chosen = random.Random(options.seed).sample(names, size)  # noqa: S311 - a sample must be repeatable, not secret
        mutmut("run", "--max-children", str(options.processes), *chosen)
        found = outcomes(package)
        report(package, len(names), {name: found[name] for name in chosen})


if __name__ == "__main__":
    main()
