"""The delivery promise on real Apache Kafka: 100,000 orders, a score of kills, between any two steps and anywhere else."""

from __future__ import annotations

import itertools
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream_app.settings import Settings, load_settings
from tests.support.fragile import PLACES
from tests.support.stream import (
    Shopping,
    Worker,
    assert_exact,
    await_settled,
    await_workers,
    make_topics,
    produce,
    workers,
)  # fmt: skip
from tests.support.waiting import soon

pytestmark = [pytest.mark.chaos, pytest.mark.kafka]
ORDERS = 100_000
KILLS = 21


def bursts(chance: random.Random, seconds: float, records: int) -> Iterator[float]:
    """Waits that spread ``records`` over some ``seconds``, a burst at a time."""
    pauses = 300
    for number in itertools.count(1):
        yield seconds / pauses * chance.uniform(0, 2) if number % (records // pauses) == 0 else 0.0


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.timeout(600)
def test_a_score_of_kills_loses_nothing_and_counts_everything_once(
    seed: int, kafka: str, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(seed)
    changes = {"kafka": kafka, "grace": 3.0, "session_timeout": 3.0}
    settings = load_settings(**{name: getattr(settings, name) for name in settings.model_fields_set} | changes)
    make_topics(settings)
    shop = Shopping(seed=seed, orders=ORDERS)
    pace = bursts(random.Random(seed), 75, ORDERS)
    sent = threading.Thread(target=lambda: produce(settings, [*shop.early, *shop.stream, *shop.late], pace))
    began = time.monotonic()
    places = [*PLACES, *PLACES]
    chance.shuffle(places)
    died: list[str] = []
    with workers(settings, tmp_path, 3) as crew:
        await_workers(settings, crew)
        sent.start()
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
            place = places[len(died) % len(places)]
            fragile = Worker(settings, tmp_path / f"fragile-{len(died)}.log", (place, chance.randrange(1, 15)))
            crew.append(fragile)
            crew.pop(0)
            if soon(lambda fragile=fragile: not fragile.running, chance.uniform(2, 10)):  # type: ignore[misc]
                assert fragile.process.returncode == -signal.SIGKILL, fragile.output()[-3000:]
                died.append(place)
        sent.join()
        for number, worker in enumerate(crew):
            worker.kill()
            crew[number] = Worker(settings, tmp_path / f"last-{number}.log")
        await_settled(settings, {"orders": ORDERS}, crew, timeout=120)
        settled = time.monotonic() - began
    counted = assert_exact(settings)
    with capsys.disabled():
        orders = counted["orders"]
        print(
            f"\nseed {seed}: {len(died)} kills {sorted(died)}, {settled:.0f} s, {len(orders.clean)} clean, "
            f"{len(orders.dead)} dead-lettered, {orders.repeated} delivered again"
        )
