"""The fewest windows tile a period."""

from __future__ import annotations

import itertools

import pytest

from stream_app.windows.grain import LONGEST, tiles

MIDNIGHT = 1_790_035_200
HOUR, DAY = 3_600, 86_400


@pytest.mark.parametrize(
    ("start", "end", "grains"),
    [
        (0, DAY, "d"), (0, HOUR, "h"), (0, 60, "m"), (0, 3 * DAY + HOUR + 60, "dddhm"), (60, 180, "mm"),
        (DAY - 60, DAY + 60, "mm"), (HOUR - 60, 2 * HOUR, "mh"),
    ],
)  # fmt: skip
def test_the_fewest_windows_tile_a_period(start: int, end: int, grains: str) -> None:
    found = tiles(MIDNIGHT + start, MIDNIGHT + end)

    assert "".join(grain.value for grain, _ in found) == grains
    assert found[0][1] == MIDNIGHT + start
    for (grain, begin), (_, following) in itertools.pairwise(found):
        assert begin + grain.seconds == following


def test_a_period_never_needs_many_windows() -> None:
    worst = tiles(MIDNIGHT + 60, MIDNIGHT + 60 + LONGEST - 120)

    assert len(worst) <= 118 + 46 + 366
    for start, end in [(30, 90), (60, 60), (120, 60), (0, LONGEST + 60), (-60, 60)]:
        with pytest.raises(ValueError, match="period"):
            tiles(start, end)
