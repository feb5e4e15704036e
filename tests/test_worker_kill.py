"""Nothing is lost and counts are exact, whatever kills a worker and whenever."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream_app.settings import Settings
from tests.support.stream import Books, Shopping, Worker, assert_exact, await_settled, await_workers, make_topics, produce, workers
from tests.support.waiting import eventually

pytestmark = pytest.mark.stack
ORDERS = 20_000


def bursts(chance: random.Random, seconds: float, records: int) -> Iterator[float]:
    """Waits that spread ``records`` over some ``seconds``, a burst at a time."""
    pauses = 40
    for number in itertools.count(1):
        yield seconds / pauses * chance.uniform(0, 2) if number % (records // pauses) == 0 else 0.0


@pytest.mark.timeout(120)
def test_workers_killed_between_any_two_steps_lose_nothing_and_count_once(settings: Settings, tmp_path: Path) -> None:
    chance = random.Random(4)
    settings = settings.model_copy(update={"grace": 2.0})
    settings.model_fields_set.add("grace")
    make_topics(settings)
    shop = Shopping(seed=4, orders=ORDERS)
    books = Books(settings)
    sent = threading.Thread(
        target=lambda: produce(settings, [*shop.early, *shop.stream, *shop.late], bursts(chance, 8, ORDERS))
    )
    with workers(settings, tmp_path, 2) as crew:
        await_workers(settings, crew)
        sent.start()
        # The first dies from outside at a random moment, the two that follow just before and just after they count.
        eventually(lambda: books.total("orders").get("in", 0) > chance.randrange(1_000, 4_000), "orders are judged")
        for fragile in (("before.apply", chance.randrange(3, 12)), ("after.send", chance.randrange(3, 12)), None):
            crew[0].kill()
            crew.append(Worker(settings, tmp_path / f"worker-{len(crew)}.log", fragile))
            crew.pop(0)
        sent.join()
        for number, worker in enumerate(crew):
            if not worker.running:
                crew[number] = Worker(settings, tmp_path / f"again-{number}.log")
        await_settled(settings, {"orders": len(shop.stream)}, timeout=60)
    assert_exact(settings)
