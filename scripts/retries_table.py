"""Write docs/reference/retries.md from the policies of retries."""

from __future__ import annotations

from pathlib import Path

from stream_app.retries import POLICIES


def table() -> str:
    """Return the page as Markdown."""
    rows = []
    for name, policy in POLICIES.items():
        waits = f"{policy.first:g} s, × {policy.factor:g}, at most {policy.longest:g} s"
        if policy.jitter:
            waits += f", plus up to {policy.jitter:g} s at random"
        ends = "after `HEADRACE_GIVE_UP_AFTER`" if policy.attempts is None else f"after {policy.attempts} attempts"
        rows.append(f"| `{name}` | {policy.retried} | {waits} | {ends} |")
    return "\n".join(
        [
            "# Retries",
            "",
            "Everything that Headrace tries again, and when it stops. All other errors end the action at once.",
            "`scripts/retries_table.py` generates this page from `stream_app/retries.py`.",
            "",
            "| policy | what is retried, after which failure | waits | ends |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    (Path(__file__).parent.parent / "docs" / "reference" / "retries.md").write_text(table(), encoding="utf-8")
