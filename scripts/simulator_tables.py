"""Write the tables of faults and incidents into the docs from the simulator itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from producers.simulator.faults import FAULTS
from producers.simulator.incidents import KINDS

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "simulator.md"
FAULT_HEAD = "| fault | entity | what it does | rule | outcome |"
INCIDENT_HEAD = "| incident | what happens | usual length | shown by any of |"


def fault_rows() -> Iterable[str]:
    """Yield one row per fault; ¹ means that files cannot hold it."""
    for fault in FAULTS:
        name = f"`{fault.name}`" + ("" if fault.files else " ¹")
        rule = f"`{fault.rule}`" if fault.rule else "(repaired)"
        yield f"| {name} | {fault.entity} | {fault.does} | {rule} | {fault.outcome} |"


def incident_rows() -> Iterable[str]:
    """Yield one row per incident; ¹ means that files cannot hold it."""
    for kind in KINDS:
        name = f"`{kind.name}`" + ("" if kind.files else " ¹")
        yield f"| {name} | {kind.explain()} | {kind.hours} h | {', '.join(f'`{metric}`' for metric in kind.shown_by)} |"


def replaced(page: str, head: str, rows: Iterable[str]) -> str:
    """Return the page with the rows of the table under ``head`` replaced."""
    before, found, after = page.partition(f"{head}\n")
    lines = after.splitlines(keepends=True)
    end = next(number for number, line in enumerate(lines) if not line.startswith("|"))
    return before + found + lines[0] + "".join(f"{row}\n" for row in rows) + "".join(lines[end:])


def tables(page: str) -> str:
    """Return the page with both tables as the simulator makes them."""
    return replaced(replaced(page, FAULT_HEAD, fault_rows()), INCIDENT_HEAD, incident_rows())


if __name__ == "__main__":
    PAGE.write_text(tables(PAGE.read_text("utf-8")), "utf-8")
