"""Write docs/reference/settings.md from the settings."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from stream_app.settings import Settings


def table() -> str:
    """Return the page as Markdown."""
    about = (
        "Environment variables, read once at the start. A switch is `on` or `off` (also `true`, `false`, `1`, `0`).\n"
        "`scripts/settings_table.py` generates this page."
    )
    lines = ["# Settings", "", about, ""]
    lines += ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        if isinstance(default, bool):
            default = "on" if default else "off"
        shown = "" if default in (None, "") else f"`{default}`"
        lines.append(f"| `HEADRACE_{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent.parent / "docs" / "reference" / "settings.md").write_text(table(), encoding="utf-8")
