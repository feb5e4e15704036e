"""The money of an incident is what a recount of its windows finds, against the same windows without the incident."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stream_app.monitor import Incident
from stream_app.monitor.causes import causes
from stream_app.monitor.headline import headline
from tests.support.windows import HOUR, MONDAY, between, shop_hours, shop_windows, watch

BEGIN, LAST = 3 * 168 + 58, 3 * 168 + 64
Twist = Callable[[dict[str, int]], None]


def with_money(counts: dict[str, int]) -> None:
    """Give each country its part of the revenue, as workers count it."""
    for name in [name for name in counts if name.startswith("s|country|in|")]:
        counts[name.replace("|in|", "|rev|")] = round(counts["rev"] * counts[name] / counts["in"])


def gone(counts: dict[str, int]) -> None:
    lost, money = counts.pop("s|country|in|United Kingdom", 0), counts.pop("s|country|rev|United Kingdom", 0)
    counts["in"] -= lost
    counts["clean"] -= lost
    counts["rev"] -= money


def reject(counts: dict[str, int]) -> None:
    hit = counts["in"] // 2
    counts["rev"] //= 2
    counts["clean"], counts["rejected"] = counts["clean"] - hit, counts["rejected"] + hit
    counts["f:customer_id.required"] = hit


def repeat(counts: dict[str, int]) -> None:
    again = counts["in"] // 2
    counts["in"], counts["rejected"] = counts["in"] + again, counts["rejected"] + again
    counts["f:order_id.unique"] = again


def dear(counts: dict[str, int]) -> None:
    counts["rev"] *= 100


TWISTS: dict[str, Twist] = {
    "outage": lambda counts: counts.clear(), "UK gone": gone, "half rejected": reject, "prices times 100": dear,
    "duplicates": repeat,
}  # fmt: skip


def twisted(twist: Twist | None) -> Callable[[int, dict[str, int]], None]:
    inner = between(BEGIN, LAST, twist) if twist is not None else None

    def change(number: int, counts: dict[str, int]) -> None:
        with_money(counts)
        if inner is not None:
            inner(number, counts)

    return change


def incidents(twist: Twist) -> list[Incident]:
    newest: dict[str, Incident] = {}
    for change in watch(shop_windows(LAST + 8, twist=twisted(twist))):
        newest[change.incident.id] = change.incident
    return [one for one in newest.values() if one.start >= MONDAY + BEGIN * HOUR]


def revenue(twist: Twist | None, windows: range) -> int:
    return sum(counts.get("rev", 0) for number, (_, counts) in enumerate(shop_hours(LAST + 8, twist=twisted(twist)))
               if number in windows)  # fmt: skip


@pytest.mark.parametrize("name", TWISTS)
def test_the_effect_is_what_a_recount_finds(name: str) -> None:
    lead = causes(incidents(TWISTS[name]))[0].lead
    windows = range((lead.start - MONDAY) // HOUR, (lead.end - MONDAY) // HOUR)
    truth = revenue(TWISTS[name], windows) - revenue(None, windows)
    usual = revenue(None, windows)
    assert lead.effect is not None
    # What is expected is not what would have been: a quarter of it is allowed.
    assert abs(lead.effect - truth) <= 0.25 * usual + 0.05 * abs(truth)


def test_the_effect_is_the_sum_over_the_trail() -> None:
    lead = next(one for one in incidents(TWISTS["prices times 100"]) if one.metric == "average_order")
    assert len(lead.trail) >= lead.windows
    assert lead.sums is not None
    assert lead.sums[0] == lead.windows
    assert lead.sums[1] == pytest.approx(sum(point[1] for point in lead.trail[: lead.windows]), rel=1e-4)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("outage", "No orders, 28 Jan"),
        ("UK gone", "No orders from United Kingdom, 28 Jan"),
        ("half rejected", "% of orders rejected"),
        ("prices times 100", "Average order value of orders is"),
        ("duplicates", "of orders rejected"),
    ],
)
def test_one_cause_has_one_title(name: str, words: str) -> None:
    found = causes(incidents(TWISTS[name]))
    assert words in headline(found[0].lead, "GBP")
    assert len([one for one in found if one.severity == "error"]) == 1
    if name != "duplicates":
        assert ("above" if name.startswith("prices") else "below") in headline(found[0].lead, "GBP")
