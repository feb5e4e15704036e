"""The pipeline's pace: samples of its pulse, and records per second between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stream_app.views.pulse import Pulse

#: A pace is measured over at least this many ms, so that it does not jump with every batch.
SMOOTH_MS = 10_000
#: A gap of this many ms between samples means that no page was open: the pace in it is unknown.
UNSEEN_MS = 20_000


@dataclass(frozen=True, slots=True)
class Sample:
    """The pipeline at ``at`` (wall time in ms): records received so far, and lag (None: unknown)."""

    at: int
    received: int
    lag: int | None


def sample_of(pulse: Pulse) -> Sample:
    """Take a sample of a pulse."""
    return Sample(pulse.read_at, pulse.received, pulse.total_lag)


def paces(samples: Sequence[Sample]) -> list[tuple[int, float]]:
    """Return records per second at each sample's time (ms), over the 10 s before it.

    The pace is left out after a gap in the samples, and where the count went down because the store was emptied.
    """
    rows: list[tuple[int, float]] = []
    begin = 0
    for index, sample in enumerate(samples):
        if index and sample.at - samples[index - 1].at > UNSEEN_MS:
            begin = index
            continue
        while begin + 1 < index and sample.at - samples[begin + 1].at >= SMOOTH_MS:
            begin += 1
        first = samples[begin]
        if sample.at > first.at and sample.received >= first.received:
            rows.append((sample.at, 1000 * (sample.received - first.received) / (sample.at - first.at)))
    return rows
