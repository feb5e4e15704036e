"""The figures of an evaluation as text for a terminal and as Markdown for the docs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from headrace.evaluation.report import Report, Targets, shown
from headrace.evaluation.score import IncidentScore
from producers.simulator.faults import FAULTS
from producers.simulator.incidents import BY_NAME
from stream_app.errors import SourceError

#: The command writes the part between these lines; the rest of the page is written by hand.
BEGIN = "<!-- made by headrace evaluate: begin -->"
END = "<!-- made by headrace evaluate: end -->"
_STREAMS = {
    "quiet": "nothing is broken",
    "faults": "a share of the records is broken all the time",
    "incidents": "incidents are staged; alarms near them left out",
}

Row = Sequence[str]


def lines(report: Report, targets: Targets) -> list[str]:
    """Return the tables for a terminal."""
    made = [*_aligned(("entity", "rule", "caught", "missed", "wrong", "precision", "recall"), _rules(report))]
    if report.incidents:
        made += ["", *_aligned(("incident", "found", "windows", "first shown by"), _incidents(report))]
    if report.alarms:
        made += ["", *_aligned(("false alarms where", "alarms", "weeks", "per week", "which"), _alarms(report))]
    made += ["", f"{report.records:,} records compared with their truth"]
    made += [
        f"{count:,} records with fault {fault}: outcome {became}, expected {due}"
        for fault, due, became, count in _wrong(report)
    ]
    unmet = report.unmet(targets)
    made += ["", "all targets reached" if not unmet else "not reached:", *(f"  {line}" for line in unmet)]
    return made


def markdown(report: Report, targets: Targets, command: str, about: str) -> str:
    """Return the generated part of ``docs/explanation/quality.md``; ``about`` describes the streams."""
    unmet = report.unmet(targets)
    parts = [
        f"Made by `{command}`. {about}",
        "### Rules over records",
        (
            "`caught` and `missed` count the records that must break the rule, `wrong` the findings without a reason. Counts "
            "are sums over all seeds, precision and recall the mean of the seeds."
        ),
        _markdown(("entity", "rule", "fault", "caught", "missed", "wrong", "precision", "recall"), _with_faults(report)),
        "### Incidents",
        "Window 1 is the hour in which the incident became visible.",
        _markdown(("incident", "what happens", "found", "windows", "first shown by"), _explained(report)),
        "### False alarms",
        _markdown(("stream", "alarms", "weeks of event time", "per week", "which"), _alarms(report)),
        "### Not reached",
        "\n".join(f"- {line}" for line in unmet) if unmet else "All targets are reached.",
    ]
    if report.wrong:
        rows = [
            f"- {count:,} records with fault {fault}: {became}, expected {due}" for fault, due, became, count in _wrong(report)
        ]
        parts += ["### Records with an unexpected outcome", "\n".join(rows)]
    if report.idle:
        parts += ["### Rules that no fault breaks", ", ".join(f"`{name}`" for name in report.idle)]
    return "\n\n".join(parts) + "\n"


def split_page(file: Path) -> tuple[str, str]:
    """Return the text before and after the generated part of a page; a new page if the file does not exist.

    Raises:
        SourceError: the page lacks the two lines, or cannot be read.
    """
    try:
        page = file.read_text("utf-8") if file.exists() else f"# Quality\n\n{BEGIN}\n{END}\n"
    except OSError as error:
        raise SourceError(f"{file}: cannot be read ({error.strerror}); name another file") from None
    if not file.parent.is_dir():
        raise SourceError(f"{file}: the folder does not exist; create it, or name another file")
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SourceError(f"{file}: the page has no generated part; add the lines {BEGIN} and {END}")
    return before, after


def write(file: Path, text: str) -> None:
    """Write the generated part into the page, between its two lines; create the page if it does not exist.

    Raises:
        SourceError: the page lacks the two lines, or cannot be written.
    """
    before, after = split_page(file)
    try:
        file.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", "utf-8")
    except OSError as error:
        raise SourceError(f"{file}: cannot be written ({error.strerror}); name another file") from None


def _rules(report: Report) -> list[Row]:
    return [
        (
            row.entity, row.rule, f"{row.score.caught:,}", f"{row.score.missed:,}", f"{row.score.wrong:,}",
            shown(row.precision), shown(row.recall),
        )
        for row in report.rules
    ]  # fmt: skip


def _with_faults(report: Report) -> list[Row]:
    rows: list[Row] = []
    for row in _rules(report):
        entity, rule = row[0], row[1]
        names = [f"`{one.name}`" for one in FAULTS if one.entity == entity and (one.rule or "(repaired)") == rule]
        rows.append((entity, f"`{rule}`" if "(" not in rule else rule, ", ".join(names), *row[2:]))
    return rows


def _incidents(report: Report) -> list[Row]:
    return [
        (name, f"{len(score.delays)} of {score.staged}", _windows(score), _by(score))
        for name, score in sorted(report.incidents.items())
    ]


def _explained(report: Report) -> list[Row]:
    rows: list[Row] = []
    for name, *rest in _incidents(report):
        kind = BY_NAME.get(name)
        rows.append((f"`{name}`", "" if kind is None else f"{kind.explain()}, {kind.hours} h", *rest))
    return rows


def _windows(score: IncidentScore) -> str:
    if not score.delays:
        return "–"
    return f"{fmean(score.delays):.1f} (at most {max(score.delays)})"


def _by(score: IncidentScore) -> str:
    return ", ".join(name for name, _ in sorted(score.by.items(), key=lambda row: (-row[1], row[0])))


def _alarms(report: Report) -> list[Row]:
    return [
        (
            _STREAMS[kind], f"{alarms.count}", f"{alarms.weeks:.1f}", f"{alarms.a_week:.2f}",
            ", ".join(f"{name} {count}" for name, count in sorted(alarms.names.items())) or "–",
        )
        for kind, alarms in report.alarms.items()
    ]  # fmt: skip


def _wrong(report: Report) -> list[tuple[str, str, str, int]]:
    return [(*key, count) for key, count in sorted(report.wrong.items())]


def _aligned(head: Row, rows: list[Row]) -> list[str]:
    table = [head, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]


def _markdown(head: Row, rows: list[Row]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))
