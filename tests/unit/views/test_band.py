"""The band of a range's quality follows the target, the usual, and the incidents that are open."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.counts.summary import Quality
from stream_app.views.band import Band, band_of


@pytest.mark.parametrize(
    ("valid", "target", "usual", "incidents", "band"),
    [
        (0.99, 0.98, None, 0, "good"),
        (0.98, 0.98, None, 0, "good"),
        (0.979, 0.98, None, 0, "watch"),
        (0.96, 0.98, None, 0, "watch"),
        (0.959, 0.98, None, 0, "bad"),
        (0.56, 0.98, None, 0, "bad"),  # 44 % rejected
        (0.9999, 1.0, None, 0, "bad"),  # the target allows none
        (1.0, 1.0, None, 0, "good"),
        (1.0, 0.98, None, 1, "watch"),
        (0.985, 0.98, 0.999, 0, "watch"),  # the target is kept, and five times as many records are invalid as usual
        (0.9985, 0.98, 0.9998, 0, "good"),  # a handful of records
        (None, 0.98, 0.99, 1, None),
    ],
)
def test_a_band_is_the_worst_of_target_usual_and_incidents(
    valid: float | None, target: float, usual: float | None, incidents: int, band: Band | None
) -> None:
    assert band_of(Quality(valid, {}, target), usual, incidents) == band


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 1), st.none() | st.floats(0, 1))
def test_more_valid_records_never_make_the_band_worse(one: float, other: float, target: float, usual: float | None) -> None:
    order = ("bad", "watch", "good")
    bands = [band_of(Quality(valid, {}, target), usual, 0) for valid in sorted((one, other))]
    assert order.index(bands[0] or "") <= order.index(bands[1] or "")
