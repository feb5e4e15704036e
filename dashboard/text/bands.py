"""The band of a range's quality in words and color."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from dashboard.text import formats
from stream_app.counts.summary import Quality
from stream_app.views.band import Band, band_of

Color = Literal["green", "orange", "red"]
_SAID: Mapping[Band, tuple[str, Color]] = {"good": ("Good", "green"), "watch": ("Watch", "orange"), "bad": ("Bad", "red")}


def band_badge(measured: Quality, open_incidents: int, usual: float | None = None) -> tuple[str, Color] | None:
    """Return the band with its reason, and a color; None if no record was judged."""
    band = band_of(measured, usual, open_incidents)
    if band is None or measured.valid is None:
        return None
    word, color = _SAID[band]
    target = f"target {formats.percent(measured.target)}"
    if measured.valid >= measured.target and open_incidents:
        incidents = "1 incident open" if open_incidents == 1 else f"{formats.count(open_incidents)} incidents open"
        return f"{word} · {incidents}", color
    if band == "watch" and measured.valid >= measured.target:
        return f"{word} · usually {formats.percent(usual)}", color
    return f"{word} · {target}", color
