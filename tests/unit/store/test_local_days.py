"""Days of a time zone add up to the records of their hours, also where the clocks change."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC as UTC_TZ
from datetime import datetime
from itertools import pairwise

import pytest

from stream_app.counts.fields import Counts, add, parse
from stream_app.store.cardinality import Part
from stream_app.store.local_days import Key, keys_of, local_days, parts_within, windows_of
from stream_app.windows.grain import Grain, Span
from stream_app.windows.zone import Zone

HOUR, DAY = 3_600, 86_400
FIELDS = (
    "in",
    "clean",
    "rev",
    "f:price.type",
    "n:coupon",
    "u:x",
    "m:EUR",
    "d:validity",
    "s|country|in|France",
    "s|country|f:a.b|Japan",
)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC_TZ).timestamp())


def windows(first: int, days: int, seed: int = 5) -> tuple[dict[Key, Counts], dict[int, Counter[str]]]:
    """Windows of hours and days as they are stored, most hours empty on some days; and the hours for a recount."""
    draw = random.Random(seed)
    hours: dict[int, Counter[str]] = {}
    for hour in range(first, first + days * DAY, HOUR):
        if draw.random() < (0.1 if hour // DAY % 5 == 0 else 0.8):
            hours[hour] = Counter({name: draw.randint(-5 if name in {"rev", "m:EUR"} else 0, 9) for name in FIELDS})
    stored: dict[Key, Counts] = {(Grain.HOUR, hour): parse(counts) for hour, counts in hours.items()}
    for day in range(first, first + days * DAY, DAY):
        summed = _sum(hours, day, day + DAY)
        if summed:
            stored[Grain.DAY, day] = parse(summed)
    return stored, hours


def _sum(hours: dict[int, Counter[str]], start: int, end: int) -> dict[str, int]:
    total: dict[str, int] = {}
    for hour, counts in hours.items():
        for name, number in counts.items() if start <= hour < end else ():
            total[name] = total.get(name, 0) + number
    return total


@pytest.mark.parametrize("name", ["Europe/Berlin", "America/Los_Angeles", "Asia/Tokyo", "Asia/Kolkata", "Pacific/Kiritimati"])
@pytest.mark.parametrize("noon", ["2026-03-29T12:00", "2026-10-25T12:00", "2026-11-01T12:00", "2026-06-10T12:00"])
def test_each_day_equals_a_recount_of_its_hours(name: str, noon: str) -> None:
    zone = Zone(name)
    last = zone.day(at(noon) + 2 * DAY)
    span = Span(Grain.DAY, zone.shift(last, -5), zone.next_day(last), zone.shift(last, -11), zone)
    stored, hours = windows(at(noon) // DAY * DAY - 14 * DAY, 18)

    days = local_days(span, {start for grain, start in stored if grain is Grain.DAY})
    counts = {key: stored.get(key, Counts()) for key in keys_of(days)}
    found = {window.start: window.counts for window in windows_of(days, counts, segments=True)}

    assert span.windows == 6
    limits = (*zone.days(zone.shift(last, -11), span.end), span.end)
    for start, end in pairwise(limits):
        assert found.get(start, Counts()) == parse(_sum(hours, start, end)), zone.date_of(start)
    assert add(found.values()) == parse(_sum(hours, limits[0], span.end))
    # A day costs its own window and half a day of hours, at most.
    assert len(keys_of(days)) <= 13 * (len(days) + 1)


def test_in_berlin_a_day_costs_three_windows() -> None:
    zone = Zone("Europe/Berlin")
    last = zone.day(at("2026-11-30T12:00"))
    span = Span(Grain.DAY, zone.shift(last, -29), zone.next_day(last), zone.shift(last, -59), zone)
    days = local_days(span, {*range(0, at("2027-01-01T00:00"), DAY)})

    assert len(days) == 60
    assert len(keys_of(days)) <= 3 * 61 + 2


def test_distinct_values_come_from_days_and_the_hours_around_them() -> None:
    hours = [Part("orders", "customers", Grain.HOUR, start, 3) for start in range(0, 5 * DAY, HOUR)]
    days = [Part("orders", "customers", Grain.DAY, start, 9) for start in range(0, 5 * DAY, DAY)]

    def covered(start: int, end: int) -> list[tuple[str, int]]:
        return [(part.grain.name, part.start // HOUR) for part in parts_within(hours, days, start, end)]

    assert covered(22 * HOUR, 73 * HOUR) == [("HOUR", 22), ("HOUR", 23), ("DAY", 24), ("DAY", 48), ("HOUR", 72)]
    assert covered(22 * HOUR, 46 * HOUR) == [("HOUR", hour) for hour in range(22, 46)]
    assert covered(24 * HOUR, 48 * HOUR) == [("DAY", 24)]
