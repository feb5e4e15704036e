"""Set-up that the tests of running workers share: changed settings, records sent in the background, a crew at work."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stream_app.settings import Settings, load_settings
from tests.support.stream import (
    Raw,
    Worker,
    await_settled,
    await_workers,
    customer,
    make_topics,
    order,
    produce,
    product,
    workers,
)  # fmt: skip

#: What the orders of ``orders`` refer to.
REFERENCES = [*(customer(n) for n in range(1, 51)), product(1)]


def orders(begin: int, end: int) -> list[Raw]:
    """Good orders of fifty customers, each hundredth bad."""
    return [order(n, n % 50 + 1, **({"quantity": 0} if n % 100 == 0 else {})) for n in range(begin, end)]


def changed(settings: Settings, **changes: Any) -> Settings:
    """The same settings but for some."""
    return load_settings(**{name: getattr(settings, name) for name in settings.model_fields_set} | changes)


@contextmanager
def crew_at_work(settings: Settings, folder: Path, count: int = 1, records: Iterable[Raw] = ()) -> Iterator[list[Worker]]:
    """Topics, ``records`` sent, and ``count`` workers that report; whatever stands in the list at the end is stopped."""
    make_topics(settings)
    produce(settings, records)
    with workers(settings, folder, count) as crew:
        await_workers(settings, crew)
        yield crew


@contextmanager
def stocked_crew(settings: Settings, folder: Path, count: int = 1) -> Iterator[list[Worker]]:
    """A crew at work that has counted the customer and the product that ``order`` refers to by default."""
    with crew_at_work(settings, folder, count, [customer(1), product(1)]) as crew:
        await_settled(settings, {"customers": 1, "products": 1}, crew)
        yield crew


@contextmanager
def in_the_background(settings: Settings, records: Iterable[Raw], pace: Iterator[float]) -> Iterator[threading.Thread]:
    """Records sent by another thread, waited for at the end."""
    sending = threading.Thread(target=lambda: produce(settings, records, pace))
    sending.start()
    try:
        yield sending
    finally:
        sending.join()


def bursts(chance: random.Random, seconds: float, records: int, pauses: int) -> Iterator[float]:
    """Waits that spread ``records`` over some ``seconds``, a burst at a time."""
    for number in itertools.count(1):
        yield seconds / pauses * chance.uniform(0, 2) if number % (records // pauses) == 0 else 0.0
