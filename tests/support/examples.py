"""Numbers of hypothesis examples: ``HEADRACE_TEST_EXAMPLES`` caps them, for mutation tests and other quick runs."""

from __future__ import annotations

import os

from hypothesis import settings

CAP = os.environ.get("HEADRACE_TEST_EXAMPLES")


def examples(count: int) -> int:
    """Return the number of examples of a test that has ``count`` by default."""
    return count if CAP is None else min(count, int(CAP))


def load_profile() -> None:
    """With a cap, draw the same few examples on each run, and store none."""
    if CAP is not None:
        settings.register_profile("few", max_examples=int(CAP), derandomize=True, database=None, deadline=None)
        settings.load_profile("few")
