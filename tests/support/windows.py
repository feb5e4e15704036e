"""Windows of a made-up shop, counted as the workers count them: a week's rhythm, chance, and what a test does to it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

from stream_app.contract import Field, load_shop
from stream_app.contract.model import Contract
from stream_app.counts.fields import parse
from stream_app.monitor import Change, Monitor, State, Window
from stream_app.monitor.tuning import Tuning
from stream_app.windows.grain import Grain

#: Monday 2026-01-05, 0 h UTC.
MONDAY = 1_767_571_200
HOUR, DAY, WEEK = 3_600, 86_400, 604_800
COUNTRIES = {"United Kingdom": 0.5, "Germany": 0.2, "France": 0.2, "Japan": 0.1}
#: What happens to an hour: ``(hour since the beginning, counts)``.
Twist = Callable[[int, dict[str, int]], None]

ORDERS: Contract = replace(
    load_shop(None).contracts["orders"],
    segments=("country",),
    fields=(*load_shop(None).contracts["orders"].fields, Field("coupon", "string")),
)


def poisson(rng: random.Random, mean: float) -> int:
    """A count of independent events."""
    if mean > 50:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


def busy(start: int) -> float:
    """How busy the shop is at a time: 1 on the average of a day, less at night and on Sundays."""
    hour, day = start % DAY / HOUR, (start // DAY + 3) % 7
    return (1 + 0.8 * math.sin((hour - 8) / 24 * 2 * math.pi)) * (0.7 if day == 6 else 1.0)


def window(start: int, counts: Mapping[str, int]) -> Window:
    """A window of counter fields, as the workers write them."""
    return Window(start, parse(counts))


def shop_hours(
    hours: int,
    seed: int = 1,
    mean: float = 300.0,
    twist: Twist | None = None,
    grain: Grain = Grain.HOUR,
    rhythm: Callable[[int], float] = busy,
) -> Iterator[tuple[int, dict[str, int]]]:
    """Starts and counter fields of windows in order; empty fields are left out.

    Of each record one country, one in 50 rejected for its quantity, one in 5 without coupon.
    """
    rng = random.Random(seed)
    for number in range(hours):
        start = MONDAY + number * grain.seconds
        # A sum of independent counts: the mix is multinomial, as if each record drew its country.
        countries = {name: poisson(rng, mean * rhythm(start) * share) for name, share in COUNTRIES.items()}
        records = sum(countries.values())
        rejected = min(records, poisson(rng, 0.02 * records))
        clean = records - rejected
        counts = {
            "in": records, "clean": clean, "rejected": rejected, "f:quantity.minimum": rejected,
            "n:coupon": min(records, poisson(rng, 0.2 * records)),
            "rev": max(0, round(rng.gauss(2_500 * clean, 2_300 * math.sqrt(clean)))),
        }  # fmt: skip
        counts |= {f"s|country|in|{name}": count for name, count in countries.items()}
        if twist is not None:
            twist(number, counts)
        yield start, {name: count for name, count in counts.items() if count}


def shop_windows(
    hours: int,
    seed: int = 1,
    mean: float = 300.0,
    twist: Twist | None = None,
    grain: Grain = Grain.HOUR,
    rhythm: Callable[[int], float] = busy,
) -> Iterator[Window]:
    """The windows of ``shop_hours``."""
    return (window(start, counts) for start, counts in shop_hours(hours, seed, mean, twist, grain, rhythm))


def between(first: int, last: int, change: Callable[[dict[str, int]], None]) -> Twist:
    """A twist from hour ``first`` up to ``last``."""
    return lambda hour, counts: change(counts) if first <= hour < last else None


#: Hours of the usual beginning of a stream that are watched once and for all: two weeks and a bit.
_BEGINNING = 2 * 168 + 48


@lru_cache(1)
def _beginning() -> tuple[list[Window], str, list[Change]]:
    """The windows that most streams of the tests begin with, the monitor's state after them, and the changes till then."""
    windows = list(shop_windows(_BEGINNING))
    state, changes = _steps(Monitor(ORDERS), None, windows)
    assert state is not None
    return windows, state.to_json(), changes


def watch(
    windows: Iterable[Window], contract: Contract = ORDERS, grain: Grain = Grain.HOUR, tuning: Tuning | None = None
) -> list[Change]:
    """All changes of incidents."""
    windows, state, changes = list(windows), None, []
    if contract is ORDERS and grain is Grain.HOUR and tuning is None and len(windows) > _BEGINNING:
        same, stored, seen = _beginning()
        if windows[:_BEGINNING] == same:
            state, changes, windows = State.from_json(stored), list(seen), windows[_BEGINNING:]
    return changes + _steps(Monitor(contract, grain, tuning), state, windows)[1]


def _steps(monitor: Monitor, state: State | None, windows: Iterable[Window]) -> tuple[State | None, list[Change]]:
    changes: list[Change] = []
    for each in windows:
        state, changed = monitor.step(state, each)
        changes += changed
    return state, changes
