"""A reading: one metric in one window, beside what is expected of it."""

from __future__ import annotations

from dataclasses import dataclass

from stream_app.monitor.state import Sums


@dataclass(slots=True)
class Reading:
    """One metric in one window.

    Attributes:
        score: robust standard deviations from the expected, with a sign; 0 within the expected range.
        threshold: the score from which one window is an anomaly; None: only ``breach`` decides.
        matters, almost: True if the deviation is beyond the floors, and beyond half of them.
        shift: what becomes normal if this goes on: a ratio to the expected, a share, an average.
        evidence: True if a deviation would have been seen in this window, so that its absence means something.
        breach: True for an anomaly whatever the score (a broken promise), False for none whatever the score.
        sums: cumulative sums that the metric keeps itself.
        accept: windows after which it is normal; None: never. ``least``: unless the usual shift is below this.
        value: of a mix, the segment value whose share has changed.
    """

    metric: str
    observed: float
    expected: float | None
    low: float | None
    high: float | None
    unit: str
    severity: str
    score: float = 0.0
    threshold: float | None = None
    matters: bool = True
    almost: bool = True
    shift: float = 0.0
    evidence: bool = True
    breach: bool | None = None
    direction: str | None = None
    segment: tuple[str, str, float, float] | None = None
    sums: Sums | None = None
    accept: int | None = None
    least: float | None = None
    value: str | None = None
