"""The delivery promise on real Apache Kafka: 100,000 orders, a score of kills, between any two steps and anywhere else."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest

from stream_app.settings import Settings
from tests.support.crew import bursts, changed, crew_at_work, in_the_background
from tests.support.fragile import MOMENTS, TRANSACTIONAL
from tests.support.recount import assert_exact
from tests.support.stream import Shopping, Worker, await_settled
from tests.support.waiting import soon

ORDERS = 100_000
KILLS = 21


@pytest.mark.parametrize(("seed", "exactly_once"), [(1, False), (2, False), (3, False), (4, True), (5, True)])
@pytest.mark.timeout(600)
def test_a_score_of_kills_loses_nothing_and_counts_everything_once(
    seed: int, exactly_once: bool, kafka: str, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(seed)
    settings = changed(settings, kafka=kafka, grace=3.0, session_timeout=3.0, exactly_once=exactly_once)
    shop = Shopping(seed=seed, orders=ORDERS)
    records = [*shop.early, *shop.stream, *shop.late]
    pace = bursts(random.Random(seed), 75, ORDERS, pauses=300)
    began = time.monotonic()
    more = [f"{when}.{name}" for name in TRANSACTIONAL for when in ("before", "after")] if exactly_once else []
    moments = [*MOMENTS, *MOMENTS, *more, *more, *more]
    chance.shuffle(moments)
    died: list[str] = []
    with crew_at_work(settings, tmp_path, 3) as crew:
        with in_the_background(settings, records, pace):
            while len(died) < KILLS:
                # Now and then one is stopped for longer than its session lasts, and comes back as a zombie.
                if len(died) % 7 == 5:
                    crew[-1].signal(signal.SIGSTOP)
                    time.sleep(5)
                    crew[-1].signal(signal.SIGCONT)
                time.sleep(chance.uniform(0.1, 2.5))
                if crew[0].running:
                    crew[0].kill()
                    died.append("outside")
                moment = moments[len(died) % len(moments)]
                fragile = Worker(settings, tmp_path / f"fragile-{len(died)}.log", (moment, chance.randrange(1, 15)))
                crew.append(fragile)
                crew.pop(0)
                if soon(lambda fragile=fragile: not fragile.running, chance.uniform(2, 10)):  # type: ignore[misc]
                    assert fragile.process.returncode == -signal.SIGKILL, fragile.output()[-3000:]
                    died.append(moment)
        for number, worker in enumerate(crew):
            worker.kill()
            crew[number] = Worker(settings, tmp_path / f"last-{number}.log")
        await_settled(settings, {"orders": ORDERS}, crew, timeout=120)
        settled = time.monotonic() - began
    counted = assert_exact(settings)
    if exactly_once:
        assert [counts.repeated for counts in counted.values()] == [0, 0, 0], "a read_committed subscriber saw a record twice"
    with capsys.disabled():
        orders = counted["orders"]
        print(
            f"\nseed {seed}, exactly once {exactly_once}: {len(died)} kills {sorted(died)}, {settled:.0f} s, "
            f"{len(orders.clean)} clean, "
            f"{len(orders.dead)} dead-lettered, {orders.repeated} delivered again"
        )
