"""The band under the valid records says why it is what it is."""

from __future__ import annotations

import pytest

from dashboard.text.bands import band_badge
from stream_app.counts.summary import Quality


@pytest.mark.parametrize(
    ("valid", "incidents", "usual", "said"),
    [
        (0.99, 0, None, ("Good · target 98.0 %", "green")),
        (0.97, 1, None, ("Watch · target 98.0 %", "orange")),
        (0.99, 1, None, ("Watch · 1 incident open", "orange")),
        (0.99, 2, None, ("Watch · 2 incidents open", "orange")),
        (0.985, 0, 0.999, ("Watch · usually 99.9 %", "orange")),
        (0.5, 0, None, ("Bad · target 98.0 %", "red")),
        (None, 3, None, None),
    ],
)
def test_a_band_says_its_reason(valid: float | None, incidents: int, usual: float | None, said: tuple[str, str] | None) -> None:
    assert band_badge(Quality(valid, {}), incidents, usual) == said
