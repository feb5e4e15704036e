"""Incidents in words: what is wrong, when, how much, where, and whether it is over."""

from __future__ import annotations

from typing import Any

import pytest

from stream_app.monitor import Change, Incident
from stream_app.monitor.wording import body, figure, subject, title
from stream_app.windows.grain import Grain
from tests.support.windows import HOUR, MONDAY


def incident(**changes: Any) -> Incident:
    usual: dict[str, Any] = {
        "id": "orders.volume.0", "entity": "orders", "metric": "volume", "severity": "error", "state": "open",
        "start": MONDAY + 15 * HOUR, "end": MONDAY + 18 * HOUR, "grain": Grain.HOUR, "windows": 3, "observed": 4.0,
        "expected": 1_200.0, "low": 1_000.0, "high": 1_500.0, "unit": "records", "direction": "low", "segment": None,
        "updated": MONDAY + 18 * HOUR,
    }  # fmt: skip
    return Incident(**usual | changes)


def test_the_title_has_entity_subject_state_and_severity() -> None:
    assert title(Change("opened", incident())) == "orders: number of records is low (error)"
    assert title(Change("closed", incident(severity="warning"))) == "orders: number of records is low (over, warning)"


@pytest.mark.parametrize(
    ("metric", "direction", "words"),
    [
        ("volume", "high", "number of records is high"),
        ("revenue", "low", "revenue is low"),
        ("average_order", "high", "average order value is high"),
        ("conformity", "high", "conformity is high"),
        ("finding:price.type", "high", "share of findings of price.type is high"),
        ("null:coupon", "high", "share of empty coupon is high"),
        ("mix:country", "changed", "mix over country has changed"),
        ("threshold:few", "low", "promise few is broken"),
        ("drift:price:vanished", "changed", "field price vanished"),
        ("drift:channel:appeared", "changed", "an unknown field channel appeared"),
        ("drift:price:text", "changed", "field price arrives as text"),
        ("drift:price:type", "changed", "field price changed its type"),
        ("drift:a:b:other", "changed", "field a:b changed"),
        ("brand_new", "high", "brand_new is high"),
    ],
)
def test_the_subject_is_the_metric_and_how_it_changed(metric: str, direction: str, words: str) -> None:
    assert subject(incident(metric=metric, direction=direction)) == words


def test_the_body_says_when_and_how_much() -> None:
    assert body(Change("opened", incident())) == (
        "2026-01-05 15:00 to 2026-01-05 18:00 UTC, 3 hours.\nWorst: 4, expected 1,000 to 1,500."
    )


@pytest.mark.parametrize(
    ("grain", "windows", "words"),
    [(Grain.HOUR, 1, "1 hour."), (Grain.HOUR, 2, "2 hours."), (Grain.MINUTE, 5, "5 minutes."), (Grain.DAY, 1, "1 day.")],
)
def test_windows_are_counted_in_their_unit(grain: Grain, windows: int, words: str) -> None:
    assert body(Change("opened", incident(grain=grain, windows=windows))).splitlines()[0].endswith(words)


@pytest.mark.parametrize(
    ("expected", "low", "high", "words"),
    [
        (100.0, 50.0, None, "Worst: 4, at least 50."),
        (100.0, None, 50.0, "Worst: 4, at most 50."),
        (100.0, None, None, "Worst: 4, before it was 100."),
        (None, None, None, "Worst: 4."),
        (None, 0.0, 2.0, "Worst: 4, expected 0 to 2."),
    ],
)
def test_the_worst_window_stands_beside_what_is_known_of_the_usual(
    expected: float | None, low: float | None, high: float | None, words: str
) -> None:
    assert body(Change("opened", incident(expected=expected, low=low, high=high))).splitlines()[1] == words


def test_the_segment_that_stands_out_is_compared_with_the_others_or_with_before() -> None:
    segment = ("country", "Japan", 0.123456, 0.5)
    elsewhere = body(Change("opened", incident(segment=segment)))
    before = body(Change("opened", incident(segment=segment, metric="mix:country")))
    assert elsewhere.splitlines()[2:] == ["Most of it where country is Japan: 0.123 there, 0.5 elsewhere."]
    assert before.splitlines()[2:] == ["Most of it where country is Japan: 0.123 there, 0.5 before."]


def test_the_end_says_whether_it_recovered_or_lasts() -> None:
    recovered = body(Change("closed", incident(state="closed", outcome="recovered")))
    accepted = body(Change("closed", incident(state="closed", outcome="accepted")))
    assert recovered.splitlines()[2:] == ["It has recovered."]
    assert accepted.splitlines()[2:] == ["It has lasted and is the new normal."]


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (None, "records", "unknown"),
        (1234.6, "records", "1,235"),
        (0.12345, "share", "12.3 %"),
        (123_456.0, "money", "1,234.56"),
        (-50.0, "money", "\N{MINUS SIGN}0.50"),
    ],
)
def test_a_figure_is_written_for_people(value: float | None, unit: str, words: str) -> None:
    assert figure(value, unit) == words
