"""Write docs/reference/retries.md from the policies of retries and the table of failures."""

from __future__ import annotations

from pathlib import Path

from stream_app.failures import FAILURES, Failure, Kind, Scope
from stream_app.retries import POLICIES

_STOPS = {Scope.PROCESS: "permanent: the process ends", Scope.ENTITY: "permanent: the entity stops", Scope.CALL: "permanent"}


def table() -> str:
    """Return the page as Markdown."""
    rows = []
    for name, policy in POLICIES.items():
        waits = f"{policy.first:g} s, × {policy.factor:g}, at most {policy.longest:g} s"
        if policy.jitter:
            waits += f", plus up to {policy.jitter:g} s at random"
        ends = f"after {policy.attempts} attempts" if policy.attempts is not None else "after `HEADRACE_GIVE_UP_AFTER`"
        rows.append(f"| `{name}` | {policy.retried} | {waits} | {'never' if policy.endless else ends} |")
    services = dict.fromkeys(row.service for row in FAILURES)
    return "\n".join(
        [
            "# Retries",
            "",
            "Everything that Headrace tries again, and when it stops. All other errors end the action at once.",
            "`scripts/retries_table.py` generates this page from `stream_app/retries.py` and `stream_app/failures/table.py`.",
            "",
            "| policy | what is retried, after which failure | waits | ends |",
            "|---|---|---|---|",
            *rows,
            "",
            "## Which errors pass",
            "",
            "A *passing* error may be gone a moment later, and the action is tried again. A *permanent* one stays until",
            "somebody acts: the worker exits at once with code 1 and says what to do, or one entity stops. A stopped entity",
            "leaves its records in the raw topic; the other entities go on, and `headrace status` and the dashboard show the",
            "reason. The entity goes on by itself within 30 seconds after the cause is cured. A topic may also refuse a single",
            "*record*, which has a fallback, described in",
            "[When a topic refuses a record](../explanation/delivery.md#when-a-topic-refuses-a-record).",
            "",
            "An error without a row is passing. Kafka's errors are named without `Error` at the end. Words in capitals are the",
            "first of Redis' reply.",
            "",
            *(line for service in services for line in _section(service)),
        ]
    )


def _section(service: str) -> list[str]:
    rows = [row for row in FAILURES if row.service == service]
    return [
        f"### {service}",
        "",
        "| error | kind | what it means | what to do |",
        "|---|---|---|---|",
        *(f"| {_errors(row)} | {_kind(row)} | {row.meaning} | {row.advice} |" for row in rows),
        "",
    ]


def _errors(row: Failure) -> str:
    return ", ".join([*(f"`{name}`" for name in row.errors), *(f"“…{phrase}…”" for phrase in row.phrases)])


def _kind(row: Failure) -> str:
    return _STOPS[row.scope] if row.kind is Kind.PERMANENT else str(row.kind)


if __name__ == "__main__":
    (Path(__file__).parent.parent / "docs" / "reference" / "retries.md").write_text(table(), encoding="utf-8")
