"""Measure what a model adds to reports: how much of its own words survives, repairs, cost and latency over a list of fact sets.

`make report-eval` uses HEADRACE_LLM_MODEL, HEADRACE_LLM_BASE_URL, HEADRACE_LLM_KEY and the prices of the settings. Every set
is one report with its repair, as in production, but without the daily budget and the pause after failures.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console
from rich.table import Table

from reporter.author import ModelAuthor
from reporter.build import Deadline
from reporter.call import Endpoint
from reporter.compute import compute
from reporter.facts import Facts
from reporter.material import Material
from reporter.texts import texts
from stream_app.counts.fields import Counts
from stream_app.settings import Settings, load_settings
from stream_app.store.period import PeriodCounts
from tests.support.report_facts import WORSE, an_incident, contracts, material


@dataclass(frozen=True)
class FactSet:
    """The facts of a report, and its language."""

    name: str
    material: Material
    language: str = "en"

    def facts(self) -> Facts:
        """Compute the facts."""
        return compute(self.material, texts(self.language))


def fact_sets() -> Iterator[FactSet]:
    """Yield typical periods: ordinary, quiet, empty, without a previous period, hostile, crowded, and other languages."""
    day = material()
    yield FactSet("ordinary day", day)
    yield FactSet("in German", day, "de")
    yield FactSet("in French", day, "fr")
    yield FactSet("nothing to compare with", material(before=None))
    counts = {entity: PeriodCounts(Counts(received=1_000, clean=1_000)) for entity in contracts()}
    yield FactSet("quiet day", material(counts=counts, before=counts, incidents=()))
    nothing = {entity: PeriodCounts() for entity in contracts()}
    yield FactSet("nothing came in", material(counts=nothing, incidents=(an_incident(observed=0.0),)))
    products = day.counts["products"]
    segments = products.counts.segments["category"]
    hostile = {"category": {WORSE if name != "Books" else name: numbers for name, numbers in segments.items()}}
    hostile_counts = dict(day.counts) | {"products": replace(products, counts=replace(products.counts, segments=hostile))}
    yield FactSet("hostile category", material(counts=hostile_counts))
    rules = {
        rule_id: 10 + 7 * number for number, (rule_id, rule) in enumerate(contracts()["orders"].rules.items()) if rule.counts
    }
    crowded = replace(day.counts["orders"], counts=replace(day.counts["orders"].counts, findings=rules))
    many = tuple(an_incident(id=f"orders.volume.{number}", observed=100.0 + number) for number in range(12))
    yield FactSet("crowded day", material(counts=dict(day.counts) | {"orders": crowded}, incidents=many))


def evaluate(settings: Settings, sets: Sequence[FactSet], repeat: int) -> list[dict[str, Any]]:
    """Return one row per report."""
    assert settings.llm_model is not None
    call = Endpoint(settings.llm_base_url, settings.llm_model, settings.llm_key)
    author = ModelAuthor(call, lambda: Deadline(settings.llm_timeout))
    rows = []
    for one in sets:
        for _ in range(repeat):
            began = time.monotonic()
            written = author.write(one.facts(), texts(one.language))
            provenance = written.provenance.to_dict()
            tokens = provenance["tokens"]
            rows.append(
                {
                    "set": one.name,
                    "outcome": provenance["outcome"],
                    "reason": provenance["reason"],
                    "own_words": provenance["own_words"],
                    "problems": sorted({code for codes in provenance["problems"] for code in codes}),
                    "tokens_in": tokens["input"],
                    "tokens_out": tokens["output"],
                    "cost": (tokens["input"] * settings.llm_price_input + tokens["output"] * settings.llm_price_output) / 1e6,
                    "seconds": round(time.monotonic() - began, 2),
                }
            )
    return rows


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of all reports."""
    survived = [row["own_words"] for row in rows if row["own_words"] is not None]
    seconds = sorted(row["seconds"] for row in rows)
    return {
        "reports": len(rows),
        "passed": sum(row["outcome"] == "passed" for row in rows),
        "repaired": sum(row["outcome"] == "repaired" for row in rows),
        "partial": sum(row["outcome"] == "partial" for row in rows),
        "fallbacks": sum(row["outcome"] == "template" for row in rows),
        "own_words": sum(survived) / len(survived) if survived else None,
        "tokens_in": sum(row["tokens_in"] for row in rows),
        "tokens_out": sum(row["tokens_out"] for row in rows),
        "cost": sum(row["cost"] for row in rows),
        "seconds_median": seconds[len(seconds) // 2] if seconds else None,
        "seconds_longest": seconds[-1] if seconds else None,
    }


def table(rows: Sequence[dict[str, Any]], total: dict[str, Any]) -> Table:
    """Return rows and totals as a table."""
    shown = Table(title="Reports by a model", caption=", ".join(f"{name} {_short(value)}" for name, value in total.items()))
    names = ("set", "outcome", "reason", "own_words", "problems", "tokens_in", "tokens_out", "cost", "seconds")
    for name in names:
        shown.add_column(name)
    for row in rows:
        shown.add_row(*(", ".join(row[name]) if name == "problems" else _short(row[name]) for name in names))
    return shown


def _short(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the evaluation; exit code 0, or 2 if no model is set."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=1, help="reports per fact set")
    parser.add_argument("--json", action="store_true", help="print rows and summary as JSON")
    given = parser.parse_args(arguments)
    settings = load_settings()
    if settings.llm_model is None:
        print("no model is set; set HEADRACE_LLM_MODEL, HEADRACE_LLM_BASE_URL and HEADRACE_LLM_KEY", file=sys.stderr)
        return 2
    rows = evaluate(settings, list(fact_sets()), given.repeat)
    total = summary(rows)
    if given.json:
        print(json.dumps({"rows": rows, "summary": total}, ensure_ascii=False, indent=2))
    else:
        Console().print(table(rows, total))
    return 0


if __name__ == "__main__":
    sys.exit(main())
