"""The buckets of many numbers at once are those of each number."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from stream_app.judge.baseline import bucket, buckets

NUMBERS = st.none() | st.integers(-5, 50) | st.floats(allow_nan=False)


@given(st.lists(NUMBERS))
def test_as_each_by_itself(values: list[float | None]) -> None:
    assert buckets(values) == list(map(bucket, values))


def test_what_has_no_logarithm_has_no_bucket() -> None:
    assert buckets([None, 0, -1, math.inf, 1.0, 2.0]) == [None, None, None, None, 0, 14]
