"""Thresholds of library metrics: the operators, the values that they take, and the bounds that they set."""

from __future__ import annotations

import math
from typing import Any

OPERATORS = (
    "mustBe",
    "mustNotBe",
    "mustBeGreaterThan",
    "mustBeGreaterOrEqualTo",
    "mustBeLessThan",
    "mustBeLessOrEqualTo",
    "mustBeBetween",
    "mustNotBeBetween",
)
UNITS = ("rows", "percent")


def threshold_problem(operator: str, value: Any, unit: str) -> str | None:
    """Return why ``value`` cannot be the threshold; ``None`` if some window can keep it and some can break it."""
    pair = operator in ("mustBeBetween", "mustNotBeBetween")
    numbers = value if pair else [value]
    if not isinstance(numbers, list) or (pair and len(numbers) != 2) or not all(_is_number(one) for one in numbers):
        return f"{operator} has an invalid value; write {'two numbers, [smallest, largest]' if pair else 'a number'}"
    if pair and numbers[0] >= numbers[1]:
        return f"{operator}: {numbers[0]} is not below {numbers[1]}; write the smaller number first"
    for one in numbers:
        if unit == "percent" and not 0 <= one <= 100:
            return f"{operator}: {one} is not a percentage; write a number from 0 to 100"
        if unit == "rows" and (one < 0 or one != int(one)):
            return f"{operator}: {one} is not a number of rows; write a whole number from 0"
    most = 100 if unit == "percent" else math.inf
    first, last = numbers[0], numbers[-1]
    kept = (operator, first) == ("mustBeGreaterOrEqualTo", 0) or (operator, first) == ("mustBeLessOrEqualTo", most)
    if kept or (operator == "mustBeBetween" and (first, last) == (0, most)):
        return f"{operator}: every window keeps it; set another threshold, or remove the rule"
    broken = (operator, first) == ("mustBeLessThan", 0) or (operator, first) == ("mustBeGreaterThan", most)
    if broken or (operator == "mustNotBeBetween" and (first, last) == (0, most)):
        return f"{operator}: no window can keep it; set another threshold"
    return None


def threshold_bounds(operator: str, value: Any, unit: str) -> dict[str, Any]:
    """Return the bounds of a ``WindowRule`` for an operator and its value; percentages become shares."""
    low: float | None
    high: float | None
    low, high = value if isinstance(value, list) else (value, value)
    if operator.startswith("mustBeGreater"):
        high = None
    elif operator.startswith("mustBeLess"):
        low = None
    scale = 100 if unit == "percent" else 1
    return {
        "low": None if low is None else low / scale,
        "high": None if high is None else high / scale,
        "exclusive_low": operator == "mustBeGreaterThan",
        "exclusive_high": operator == "mustBeLessThan",
        "outside": operator.startswith("mustNot"),
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
