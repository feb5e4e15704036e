"""The monitor finds what goes wrong with a stream within two windows, says when it is over, and else keeps quiet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from stream_app.contract import Dimension, Rule, Severity, WindowRule, load_shop
from stream_app.monitor import Change, Incident, Monitor, State
from stream_app.monitor.seasonal import Expected
from stream_app.monitor.tuning import Tuning
from stream_app.monitor.wording import figure
from stream_app.windows.grain import Grain
from tests.support.paths import RETAIL
from tests.support.windows import DAY, HOUR, MONDAY, ORDERS, WEEK, between, busy, shop_windows, watch, window

#: Hour 10 of a Wednesday, two weeks after the beginning; incidents last six hours.
BEGIN, LAST = 2 * 168 + 58, 2 * 168 + 64
AT = MONDAY + BEGIN * HOUR
Change_ = Callable[[dict[str, int]], None]


def scale(counts: dict[str, int], factor: float) -> None:
    for name in list(counts):
        counts[name] = round(counts[name] * factor)


def money(factor: float) -> Change_:
    return lambda counts: counts.update(rev=round(counts.get("rev", 0) * factor))


def reject(rule: str, share: float) -> Change_:
    def change(counts: dict[str, int]) -> None:
        hit = round(counts["in"] * share)
        counts["rev"] = round(counts.get("rev", 0) * (1 - share))
        counts["clean"], counts["rejected"] = counts["clean"] - hit, counts["rejected"] + hit
        counts[f"f:{rule}"] = counts.get(f"f:{rule}", 0) + hit

    return change


def flood(name: str, share: float) -> Change_:
    return lambda counts: counts.update({name: round(counts["in"] * share)})


def gone(counts: dict[str, int]) -> None:
    lost = counts.pop("s|country|in|Germany", 0)
    for name in ("in", "clean"):
        counts[name] -= lost


def repeat(counts: dict[str, int]) -> None:
    again = counts["in"] // 2
    counts["in"], counts["rejected"] = counts["in"] + again, counts["rejected"] + again
    counts["f:order_id.unique"] = again


KINDS: dict[str, tuple[Change_, str, str]] = {
    "outage": (lambda counts: counts.clear(), "volume", "low"),
    "spike": (lambda counts: scale(counts, 4), "volume", "high"),
    "prices times 100": (money(100), "average_order", "high"),
    "a third in another currency": (money(30), "average_order", "high"),
    "free of charge": (money(0), "average_order", "low"),
    "null flood": (reject("customer_id.required", 0.5), "conformity", "low"),
    "null flood, its rule": (reject("customer_id.required", 0.5), "finding:customer_id.required", "high"),
    "clock skew": (reject("order_date_future", 0.4), "finding:order_date_future", "high"),
    "duplicate storm": (repeat, "finding:order_id.unique", "high"),
    "an optional field empty": (flood("n:coupon", 0.7), "null:coupon", "high"),
    "one country gone": (gone, "mix:country", "changed"),
    "a field appears": (flood("u:channel", 1.0), "drift:channel:appeared", "changed"),
    "a required field vanishes": (reject("price.required", 0.97), "drift:price:vanished", "changed"),
    "an optional field vanishes": (flood("n:coupon", 1.0), "drift:coupon:vanished", "changed"),
    "numbers as text": (flood("r:price.number", 1.0), "drift:price:text", "changed"),
    "another type": (reject("quantity.type", 0.3), "drift:quantity:type", "changed"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_incident_is_found_within_two_windows_and_closed_when_it_is_over(kind: str) -> None:
    change, metric, direction = KINDS[kind]
    changes = [
        one for one in watch(shop_windows(LAST + 8, twist=between(BEGIN, LAST, change))) if one.incident.metric == metric
    ]
    first, last = changes[0], changes[-1]
    assert first.kind == "opened"
    assert AT <= first.incident.start <= AT + HOUR
    assert first.incident.direction == direction
    assert (last.kind, last.incident.state, last.incident.outcome) == ("closed", "closed", "recovered")
    assert last.incident.end == MONDAY + LAST * HOUR
    assert last.incident.windows >= LAST - BEGIN - 1
    assert last.incident.updated <= last.incident.end + 2 * HOUR
    assert [one.kind for one in changes].count("opened") == 1
    assert {one.incident.id for one in changes} == {f"orders.{metric}.{first.incident.start}"}


@pytest.mark.parametrize("seed", [1, 2])
def test_weeks_of_nothing_but_chance_raise_no_incident(seed: int) -> None:
    assert watch(shop_windows(5 * 168, seed)) == []


def test_a_stream_that_is_always_the_same_raises_no_incident() -> None:
    counts = {"in": 100, "clean": 98, "rejected": 2, "f:quantity.minimum": 2, "rev": 5_000}
    assert watch(window(MONDAY + hour * HOUR, counts) for hour in range(4 * 168)) == []


def test_a_few_records_an_hour_raise_no_incident() -> None:
    assert watch(shop_windows(4 * 168, 5, mean=3.0)) == []


def test_one_cause_is_one_incident_of_full_severity() -> None:
    changes = watch(shop_windows(LAST + 8, twist=between(BEGIN, LAST, lambda counts: counts.clear())))
    assert {one.incident.metric for one in changes} == {"volume"}
    changes = watch(shop_windows(LAST + 8, twist=between(BEGIN, LAST, reject("customer_id.required", 0.5))))
    assert {one.incident.metric for one in changes if one.incident.severity == "error"} == {"conformity"}
    changes = watch(shop_windows(LAST + 8, twist=between(BEGIN, LAST, reject("price.required", 0.97))))
    assert {one.incident.metric for one in changes} == {"conformity", "drift:price:vanished"}


def test_a_slow_decay_is_found_before_half_is_lost() -> None:
    def decay(hour: int, counts: dict[str, int]) -> None:
        if hour >= BEGIN:
            reject("quantity.required", min(0.4, 0.4 * (hour - BEGIN) / 48))(counts)

    changes = watch(shop_windows(BEGIN + 48, twist=decay))
    opened = {one.incident.metric: one.incident.start for one in changes if one.kind == "opened"}
    assert opened["conformity"] <= AT + 12 * HOUR
    assert opened["finding:quantity.required"] <= AT + 12 * HOUR


def test_ever_fewer_records_are_found_though_no_hour_stands_out() -> None:
    def decay(hour: int, counts: dict[str, int]) -> None:
        if hour >= BEGIN:
            scale(counts, 0.99 ** (hour - BEGIN))

    changes = watch(shop_windows(BEGIN + 96, twist=decay))
    first = next(one.incident for one in changes if one.incident.metric == "volume")
    assert first.direction == "low"
    assert first.start < AT + 48 * HOUR


def test_a_new_level_is_normal_after_two_days() -> None:
    changes = watch(shop_windows(BEGIN + 3 * 168, rhythm=lambda start: busy(start) * (2 if start >= AT else 1)))
    volume = [one for one in changes if one.incident.metric == "volume"]
    assert {one.incident.id for one in volume} == {volume[0].incident.id}
    assert (volume[-1].kind, volume[-1].incident.outcome) == ("closed", "accepted")
    assert volume[-1].incident.end - volume[-1].incident.start <= 60 * HOUR
    assert {one.incident.metric for one in changes} == {"volume"}


def test_an_outage_is_never_normal() -> None:
    changes = watch(shop_windows(BEGIN + 12 * 24 + 8, twist=between(BEGIN, BEGIN + 12 * 24, lambda counts: counts.clear())))
    volume = [one.incident for one in changes if one.incident.metric == "volume"]
    assert len({one.id for one in volume}) == 1
    assert (volume[-1].state, volume[-1].outcome) == ("closed", "recovered")
    assert volume[-1].windows - 12 * 24 in {0, 1}


def closed_at_night(start: int) -> float:
    open_now = 8 <= start % DAY // HOUR < 20 and (start // DAY + 3) % 7 != 5
    return busy(start) if open_now else 0.0


def test_a_shop_that_is_closed_at_night_and_on_saturdays_raises_no_incident() -> None:
    assert watch(shop_windows(6 * 168, 4, rhythm=closed_at_night)) == []


def test_an_outage_of_days_is_one_incident_although_the_nights_are_empty_anyway() -> None:
    first, last = 4 * 168 + 24, 4 * 168 + 96
    twist = between(first, last, lambda counts: counts.clear())
    changes = watch(shop_windows(last + 24, 4, rhythm=closed_at_night, twist=twist))
    volume = [one.incident for one in changes if one.incident.metric == "volume"]
    assert {one.start for one in volume} <= {MONDAY + (first + 8) * HOUR, MONDAY + (first + 9) * HOUR}
    assert len({one.id for one in volume}) == 1
    assert volume[-1].state == "closed"


def test_the_segment_that_explains_it_is_named() -> None:
    def one_country(counts: dict[str, int]) -> None:
        hit = counts["s|country|in|Japan"]
        reject("price.maximum", hit / counts["in"])(counts)
        counts["s|country|rejected|Japan"] = counts["s|country|f:price.maximum|Japan"] = hit

    by_metric = incidents(one_country)
    field, value, now, before = by_metric["conformity"].segment or ("", "", 0.0, 0.0)
    assert (field, value, now) == ("country", "Japan", 1.0)
    assert before == pytest.approx(0.02, abs=0.03)
    assert by_metric["finding:price.maximum"].segment == ("country", "Japan", 1.0, 0.0)
    by_metric = incidents(gone)
    field, value, now, before = by_metric["mix:country"].segment or ("", "", 1.0, 0.0)
    assert (field, value, now) == ("country", "Germany", 0.0)
    assert before == pytest.approx(0.2, abs=0.03)

    def many_from_japan(counts: dict[str, int]) -> None:
        more = 3 * counts["in"]
        for name in ("in", "clean", "s|country|in|Japan"):
            counts[name] += more

    segment = incidents(many_from_japan)["volume"].segment or ("", "", 0.0, 0.0)
    assert segment[:2] == ("country", "Japan")
    assert segment[2] > 10
    assert segment[3] == pytest.approx(1, abs=0.3)


def incidents(change: Change_) -> dict[str, Incident]:
    return {one.incident.metric: one.incident for one in watch(shop_windows(LAST, twist=between(BEGIN, LAST, change)))}


def test_drift_becomes_the_normal_state_and_says_what_was_before() -> None:
    changes = watch(
        shop_windows(BEGIN + 60, twist=lambda hour, counts: flood("u:channel", 0.8)(counts) if hour >= BEGIN else None)
    )
    drift = [one.incident for one in changes if one.incident.metric == "drift:channel:appeared"]
    assert (drift[0].expected, drift[0].unit) == (0.0, "share")
    assert drift[0].observed == pytest.approx(0.8, abs=0.01)
    assert (drift[-1].state, drift[-1].outcome) == ("closed", "accepted")
    assert len({one.id for one in drift}) == 1


def promise(high: float | None = None) -> WindowRule:
    rule = Rule("few_missing", Dimension.COMPLETENESS, Severity.INFO, "$.coupon", "", "window")
    return WindowRule(rule, "nullValues", "percent", Severity.ERROR, "few_missing", high=high)


def test_a_broken_promise_is_an_incident_from_the_first_window_on() -> None:
    contract = replace(ORDERS, windows=(promise(high=0.05),))
    changes = watch(shop_windows(20, twist=between(10, 13, flood("f:few_missing", 0.06))), contract)
    assert [(one.kind, one.incident.metric) for one in changes] == [
        ("opened", "threshold:few_missing"), ("continued", "threshold:few_missing"),
        ("continued", "threshold:few_missing"), ("closed", "threshold:few_missing"),
    ]  # fmt: skip
    assert (changes[0].incident.high, changes[0].incident.severity) == (0.05, "error")
    assert changes[0].incident.start == MONDAY + 10 * HOUR


def test_a_share_of_few_records_is_judged_together_with_the_next_windows() -> None:
    contract = replace(ORDERS, windows=(promise(high=0.05),))
    counts = {"in": 10, "clean": 10}
    windows = [window(MONDAY + hour * HOUR, counts | {"f:few_missing": int(hour % 10 == 0)}) for hour in range(40)]
    assert watch(iter(windows), contract) == []
    windows = [window(MONDAY + hour * HOUR, counts | {"f:few_missing": 1}) for hour in range(40)]
    assert watch(iter(windows), contract)[0].incident.start == MONDAY + 9 * HOUR


def test_a_promise_about_the_number_of_records_holds_for_empty_windows_too() -> None:
    rule = replace(promise(), metric="rowCount", unit="rows", low=1.0)
    changes = watch(shop_windows(12, twist=between(4, 6, lambda counts: counts.clear())), replace(ORDERS, windows=(rule,)))
    assert [one.incident.direction for one in changes][:1] == ["low"]
    assert changes[0].incident.start == MONDAY + 4 * HOUR


def test_a_metric_can_be_switched_off_or_made_less_sensitive() -> None:
    def run(tuning: Tuning) -> list[Change]:
        return watch(shop_windows(LAST + 8, twist=between(BEGIN, LAST, lambda counts: scale(counts, 0.5))), tuning=tuning)

    assert {one.incident.metric for one in run(Tuning())} == {"volume"}
    assert run(Tuning.of("volume=0, revenue=0, drift=2")) == []
    assert run(Tuning.of("volume=0.2, revenue=0.1")) == []


@pytest.mark.parametrize(("grain", "windows", "mean"), [(Grain.MINUTE, 400, 30.0), (Grain.DAY, 40, 5_000.0)])
def test_minutes_and_days_are_watched_as_well(grain: Grain, windows: int, mean: float) -> None:
    flat = lambda start: 1.0  # noqa: E731
    assert watch(shop_windows(windows, 2, mean, grain=grain, rhythm=flat), grain=grain) == []
    twist = between(windows - 5, windows, lambda counts: scale(counts, 0.1))
    changes = watch(shop_windows(windows, 2, mean, twist, grain, flat), grain=grain)
    assert [one.incident.metric for one in changes if one.kind == "opened"] == ["volume"]


def test_single_records_of_another_year_are_not_the_history() -> None:
    strays = [window(MONDAY - WEEK * 10 + hour * HOUR, {"in": 1, "clean": 1, "rev": 900} if hour % 30 == 0 else {})
              for hour in range(10 * 168)]  # fmt: skip
    assert watch(iter([*strays, *shop_windows(2 * 168)])) == []
    twist = between(BEGIN, LAST, lambda counts: counts.clear())
    changes = watch(iter([*strays, *shop_windows(LAST + 8, twist=twist)]))
    assert [one.incident.start for one in changes if one.kind == "opened"] == [AT]


def test_the_range_of_what_cannot_be_negative_ends_at_zero() -> None:
    wide = Expected(1_000.0, 900.0, 1_100.0), 100.0, 20.0, (5.0, 5.0)
    assert Monitor(ORDERS).parts.readings.revenue(9_000, *wide).low == 0
    assert Monitor(ORDERS).parts.readings.average(9_000.0, 20, 1_000.0, 5.0).low == 0
    # Where orders can be sent back, an hour's revenue can be below zero.
    shop = load_shop(RETAIL).contracts["orders"]
    low = Monitor(shop).parts.readings.revenue(9_000, *wide).low
    assert low is not None
    assert low < 0


def test_an_empty_window_is_outside_the_range_that_its_incident_tells() -> None:
    bunches = Expected(30.0, 20.0, 40.0), 30.0, (6.0, 6.0)
    readings = Monitor(ORDERS).parts.readings
    one, many = readings.volume(0, *bunches, 0.0), readings.volume(0, *bunches, -12.0)
    assert (one.low, many.low) == (0, 1)
    assert many.threshold is not None
    assert abs(many.score) > many.threshold > abs(one.score)


def test_a_severity_that_rises_is_a_change_for_people() -> None:
    def worse(hour: int, counts: dict[str, int]) -> None:
        if BEGIN <= hour < LAST:
            scale(counts, 0.6 if hour < BEGIN + 2 else 0.1)

    kinds = [one.kind for one in watch(shop_windows(LAST + 8, twist=worse)) if one.incident.metric == "volume"]
    assert kinds == ["opened", "continued", "worse", "continued", "continued", "continued", "closed"]


def test_the_state_survives_json_at_any_window() -> None:
    monitor, state, changes = Monitor(ORDERS), None, []
    twist = between(BEGIN, LAST, reject("customer_id.required", 0.5))
    for each in shop_windows(LAST + 8, twist=twist):
        state, changed = monitor.step(State.from_json(state.to_json()) if state is not None else None, each)
        assert state == State.from_json(state.to_json())
        changes += changed
    assert changes == watch(shop_windows(LAST + 8, twist=twist))


def test_a_message_about_a_loss_has_a_real_minus_sign() -> None:
    assert [figure(-12_350.0, "money"), figure(-3.0, "records"), figure(0.021, "share")] == ["−123.50", "−3", "2.1 %"]
