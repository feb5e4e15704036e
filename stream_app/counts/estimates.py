"""The error of an estimated number of distinct values, and which changes are beyond it."""

from __future__ import annotations

import math

#: Standard error of a HyperLogLog of Redis (16,384 registers): an estimate is within three of them in 997 of 1,000 cases.
STANDARD_ERROR = 0.0081
#: Error that pages and reports state.
ERROR = 3 * STANDARD_ERROR


def beyond_error(now: float, before: float, estimated: tuple[bool, bool]) -> bool:
    """True if a number has changed by more than the errors of both; ``estimated``: which of them are estimates.

    It also holds for what is in proportion to an estimate, or to its inverse, such as an average per order.
    """
    if not any(estimated):
        return True
    errors = [ERROR * one if is_one else 0.0 for one, is_one in zip((now, before), estimated, strict=True)]
    return abs(now - before) > math.hypot(*errors)
