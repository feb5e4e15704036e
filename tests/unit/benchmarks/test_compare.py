"""`make bench OLD=…` compares by the median of the ratios of each round."""

from __future__ import annotations

import pytest

from benchmarks.compare import table


@pytest.mark.parametrize(
    ("name", "rounds", "ratio", "verdict"),
    [
        ("throughput, records/s", [(100.0, 90.0), (50.0, 51.0), (200.0, 204.0)], "1.020", "equal"),
        ("throughput, records/s", [(100.0, 90.0)], "0.900", "WORSE"),
        ("worker memory, MB", [(100.0, 110.0)], "1.100", "WORSE"),
        ("latency p99, ms", [(100.0, 90.0)], "0.900", "better"),
    ],
)
def test_a_figure_is_equal_within_five_percent_and_else_better_or_worse(
    name: str, rounds: list[tuple[float, float]], ratio: str, verdict: str
) -> None:
    (line,) = table([({name: old}, {name: new}) for old, new in rounds])[1:]
    assert ratio in line
    assert line.endswith(verdict)
