"""Run mutation tests on a random sample: ``python scripts/mutants.py [--sample N] [--seed N] [PACKAGE…]``.

mutmut (``[tool.mutmut]`` in pyproject.toml) makes the mutants: copies of a function with one small change, such as ``<``
for ``<=``. A mutant is killed if a unit test fails. This script draws the same number of mutants per package, and prints the
score of each package and the mutants that survived. ``--show NAME`` prints the change of one.

mutmut 3.8 gets a folder of its own, ``build/mutmut``: it asks for a newer click than Faust allows, and works with the older
one. Version 3.7 does not work with pytest 9.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "mutants"
PACKAGES = ("judge", "counts", "monitor")
MUTMUT, INSTALLED = "mutmut==3.8.1", ROOT / "build" / "mutmut"
#: Code of a process that finds mutmut there before any other version.
_FIND = f"import sys; sys.path.insert(1, {str(INSTALLED)!r}); "
#: Mutants that mutmut is given at once: it takes their names as arguments.
_AT_ONCE = 1_000
#: Hypothesis examples per test: few, and the same on each run.
ENVIRONMENT = os.environ | {"HEADRACE_TEST_EXAMPLES": "20"}
#: Exit codes of a mutant's tests that are not a kill. A mutant that runs out of time is killed.
OUTCOMES = {0: "survived", 5: "without tests", 33: "without tests", None: "not run"}


def mutmut(*arguments: str) -> None:
    """Run mutmut in the checkout, and stop if it fails."""
    if not INSTALLED.exists():
        run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(INSTALLED), MUTMUT)
    run(sys.executable, "-c", _FIND + "from mutmut.__main__ import cli; cli()", *arguments)


def run(*command: str) -> None:
    """Run a command in the checkout, and stop if it fails."""
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, check=False)  # noqa: S603 - our own command, no shell
    if done.returncode:
        raise SystemExit(done.returncode)


def outcomes(package: str) -> dict[str, str]:
    """Return the outcome of all mutants of the package, by name."""
    found: dict[str, str] = {}
    for file in sorted((FOLDER / "stream_app" / package).rglob("*.meta")):
        codes = json.loads(file.read_text("utf-8"))["exit_code_by_key"]
        found |= {name: OUTCOMES.get(code, "killed") for name, code in codes.items()}
    return found


def survives(package: str, mutant: str) -> bool:
    """Run a mutant against all unit tests of its package, in a process of its own.

    mutmut runs the tests that call the function. If tests cache what the function makes, those that get it from the cache are
    not among them; and the slow tests are not.
    """
    tests = [*ROOT.glob(f"tests/unit/{package}/test_*.py"), *ROOT.glob(f"tests/integration/{package}/test_*.py")]
    paths = [str(path.relative_to(ROOT)) for path in tests]
    code = _FIND + "import pytest; sys.exit(pytest.main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "-x", "-q", "-p", "no:cacheprovider", "-k", "not [redis]", *paths]
    environment = ENVIRONMENT | {"MUTANT_UNDER_TEST": mutant}
    done = subprocess.run(command, cwd=FOLDER, env=environment, check=False, capture_output=True)  # noqa: S603
    return done.returncode == 0


def report(package: str, total: int, sample: dict[str, str]) -> None:
    """Print the score of one package, and the mutants that no test killed."""
    counted = Counter(sample.values())
    share = counted["killed"] / max(1, len(sample))
    print(f"\n{package}: {counted['killed']} of {len(sample)} killed ({share:.0%}), {counted['survived']} survived; ", end="")
    print(f"{total} mutants in all")
    for name in sorted(name for name, outcome in sample.items() if outcome != "killed"):
        print(f"  {sample[name]}: {name}")


def batches(names: list[str]) -> Iterable[list[str]]:
    """Return the names in the batches that one run of the tool takes."""
    return (names[begin : begin + _AT_ONCE] for begin in range(0, len(names), _AT_ONCE))


def main() -> None:
    """Run the sample and print the score of each package."""
    parser = argparse.ArgumentParser(description="Mutation tests on a random sample of mutants.")
    parser.add_argument("--sample", type=int, default=100, help="mutants per package; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--show", metavar="NAME", help="print the change of one mutant instead")
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help=f"of {', '.join(PACKAGES)}; default: all three")
    options = parser.parse_args()
    if options.show:
        mutmut("show", options.show)
        return
    mutmut("run", "stream_app.counts.window.x_by_grain__mutmut_1")  # makes all mutants, and learns which tests call what
    for package in options.packages or PACKAGES:
        names = sorted(outcomes(package))
        size = min(options.sample or len(names), len(names))
        chosen = random.Random(options.seed).sample(names, size)  # noqa: S311 - a sample must be repeatable, not secret
        for some in batches(chosen):
            mutmut("run", "--max-children", str(options.processes), *some)
        found = outcomes(package)
        sample = {name: found[name] for name in chosen}
        for name, outcome in sample.items():
            if outcome != "killed":
                sample[name] = "survived" if survives(package, name) else "killed"
        report(package, len(names), sample)


if __name__ == "__main__":
    main()
