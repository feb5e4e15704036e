"""Folders of the checkout that tests read, wherever a test file lies."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache"
DOCS = ROOT / "docs"
RETAIL = ROOT / "examples" / "online-retail"
