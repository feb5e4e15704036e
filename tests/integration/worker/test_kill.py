"""Nothing is lost and counts are exact, whatever kills a worker and whenever."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest

from stream_app.settings import Settings
from tests.support.crew import bursts, changed, crew_at_work, in_the_background
from tests.support.recount import assert_exact
from tests.support.stream import Books, Shopping, Worker, await_settled
from tests.support.waiting import eventually, soon

ORDERS = 20_000


@pytest.mark.timeout(120)
def test_workers_killed_between_any_two_steps_lose_nothing_and_count_once(settings: Settings, tmp_path: Path) -> None:
    chance = random.Random(4)
    settings = changed(settings, grace=2.0, session_timeout=5.0)
    shop = Shopping(seed=4, orders=ORDERS)
    records = [*shop.early, *shop.stream, *shop.late]
    books = Books(settings)
    with crew_at_work(settings, tmp_path, 2) as crew:
        with in_the_background(settings, records, bursts(chance, 8, ORDERS, pauses=40)):
            eventually(lambda: books.total("orders").get("in", 0) > chance.randrange(1_000, 4_000), "orders are judged")
            # Both die from outside, at random moments; those that follow die by themselves, just before they count and
            # just before they deliver again what has been delivered; the last two stay.
            for number, moment in enumerate(("before.apply", "after.look_up")):
                time.sleep(chance.uniform(0, 0.5))
                crew[number].kill()
                assert crew[number].process.returncode == -signal.SIGKILL
                crew[number] = Worker(settings, tmp_path / f"{moment}.log", (moment, chance.randrange(1, 4)))
            for number, worker in enumerate(crew):
                soon(lambda worker=worker: not worker.running, 20)  # type: ignore[misc]
                worker.kill()
                assert worker.process.returncode == -signal.SIGKILL, worker.output()[-2000:]
                crew[number] = Worker(settings, tmp_path / f"last-{number}.log")
        await_settled(settings, {"orders": len(shop.stream)}, crew, timeout=60)
    counted = assert_exact(settings)
    # Every worker that was taken for dead was dead.
    assert {entity: counts.repeated for entity, counts in counted.items()} == {"orders": 0, "customers": 0, "products": 0}
