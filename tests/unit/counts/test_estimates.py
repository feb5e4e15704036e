"""A change that the error of an estimate may have made is not one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream_app.counts.estimates import ERROR, beyond_error


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_between_exact_numbers_every_change_is_one(now: float, before: float) -> None:
    assert beyond_error(now, before, (False, False))


@given(st.integers(1_000, 10**7), st.floats(-ERROR, ERROR), st.floats(-ERROR, ERROR))
def test_two_estimates_of_the_same_number_are_no_change(number: int, one: float, other: float) -> None:
    """Both are as far off as is stated, to different sides at most by the error of a difference."""
    now, before = number * (1 + one), number * (1 + other)
    if abs(now - before) <= ERROR * number:
        assert not beyond_error(now, before, (True, True))


def test_a_change_is_beyond_the_error_or_is_not() -> None:
    assert not beyond_error(102_000, 100_000, (True, False))
    assert not beyond_error(103_000, 100_000, (True, True))
    assert beyond_error(103_000, 100_000, (True, False))
    assert beyond_error(104_000, 100_000, (True, True))
