"""`--rate` and `--speed` pace records accurately."""

from __future__ import annotations

from collections import Counter

import pytest

from producers.sending.pace import CATCH_UP, Pacer, parse_rate, parse_speed


class Clock:
    """A clock that moves only in `wait`."""

    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time

    def wait(self, seconds: float) -> None:
        self.time += max(0.0, seconds)


def sent(pacer: Pacer, clock: Clock, moments: list[int | None]) -> list[float]:
    start, times = clock.time, []
    for moment in moments:
        clock.wait(pacer.delay(moment))
        times.append(round(clock.time - start, 6))
    return times


def test_a_rate_is_kept_to_the_record() -> None:
    clock = Clock()
    times = sent(Pacer(rate=50, now=clock), clock, [None] * 501)
    assert times[-1] == pytest.approx(10.0)


def test_a_short_stall_is_made_up_for_and_a_long_one_is_not() -> None:
    clock = Clock()
    pacer = Pacer(rate=10, now=clock)
    sent(pacer, clock, [None] * 10)
    clock.wait(0.5)
    assert sent(pacer, clock, [None] * 11)[-1] == pytest.approx(1.5 - 0.9 + 0.0, abs=0.11)
    clock.wait(3600)
    assert sum(delay <= 0 for delay in (pacer.delay(None) for _ in range(100))) <= CATCH_UP * 10 + 1


def test_event_time_passes_so_many_times_as_fast() -> None:
    clock = Clock()
    assert sent(Pacer(speed=60, now=clock), clock, [0, 60_000, 90_000, None, 120_000]) == [0, 1.0, 1.5, 1.5, 2.0]


def test_a_late_record_is_sent_at_once_and_delays_nobody() -> None:
    clock = Clock()
    assert sent(Pacer(speed=1, now=clock), clock, [100_000, 105_000, 0, 106_000]) == [0, 5.0, 5.0, 6.0]


def test_rate_and_speed_together_mean_whichever_is_slower() -> None:
    clock = Clock()
    assert sent(Pacer(rate=2, speed=1, now=clock), clock, [0, 100, 2000]) == [0, 0.5, 2.0]


def test_records_go_in_portions_at_the_same_rate() -> None:
    clock = Clock()
    times = sent(Pacer(rate=50, tick=0.2, now=clock), clock, [None] * 501)
    assert times[-1] == pytest.approx(10.0)
    assert sorted(Counter(times).values())[1:] == [10] * 50
    late = sent(Pacer(speed=1, tick=0.2, now=clock), clock, [0, 100, 110, 1_050])
    assert [late[1] == late[2], late[1] < 0.35, 1.05 <= late[3] < 1.3] == [True, True, True]


def test_nothing_is_waited_for_without_a_pace() -> None:
    assert Pacer().idle
    assert not Pacer(rate=1).idle


def test_rates_and_speeds_are_read_with_and_without_their_unit() -> None:
    assert [parse_rate(text) for text in ("200", "200/s", "12000/min", "36/h")] == [200, 200, 200, 0.01]
    assert [parse_speed(text) for text in ("60x", "60", "0.5x")] == [60, 60, 0.5]


@pytest.mark.parametrize("text", ["", "0", "-1", "fast", "10/day", "1e3", "nan"])
def test_what_is_no_rate_or_speed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a rate"):
        parse_rate(text)
    with pytest.raises(ValueError, match="not a speed"):
        parse_speed(text)


def test_a_record_dated_far_ahead_holds_nobody_up() -> None:
    clock = Clock()
    moments = [number * 1_000 for number in range(10)]
    times = sent(Pacer(speed=1, now=clock), clock, [*moments, 400 * 86_400_000, 10_000, 11_000])
    assert times == [*range(10), 9.0, 10.0, 11.0]
