"""A store that was emptied gets its incidents back from the topic, and nobody hears of one twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_app.settings import Settings
from stream_app.store.keys import Keys
from stream_app.store.ownership import READY, StoreState
from stream_app.store.queries import open_queries
from stream_app.windows.grain import Grain
from tests.support.crew import changed
from tests.support.outage import BEFORE, OUTAGE, published, trade, webhook
from tests.support.redis_servers import RedisServer, redis_server
from tests.support.stream import Books, make_topics, produce, workers
from tests.support.waiting import eventually

__all__ = ["redis_server"]


def looked_at(settings: Settings, epoch: int = 0) -> str | None:
    """The last window of the orders that the monitor has looked at, in another epoch of the store than ``epoch``."""
    client, keys = Books(settings).client, Keys(settings.redis_prefix)
    store = StoreState.read(client.hgetall(keys.store()))
    at, restored = client.hmget(keys.monitor("orders", Grain.HOUR), "at", "epoch")
    return at if store.state == READY and store.epoch not in {0, epoch} and restored == str(store.epoch) else None


def lose_everything(settings: Settings) -> None:
    """Empty the store, and wait until its incidents are back and the monitor has looked at the same windows again."""
    client, at = Books(settings).client, looked_at(settings)
    assert at is not None
    epoch = StoreState.read(client.hgetall(Keys(settings.redis_prefix).store())).epoch
    client.flushall()
    eventually(lambda: looked_at(settings, epoch) == at, "windows are looked at again", timeout=60)


@pytest.mark.timeout(120)
def test_incidents_come_back_and_are_not_announced_again(settings: Settings, redis_server: RedisServer, tmp_path: Path) -> None:
    with webhook() as (address, got):
        settings = changed(settings, redis=redis_server.url, notify=address, give_up_after=60.0, grace=1.0)
        make_topics(settings)
        # Two hours after the outage: the first of them is final, and one normal hour closes nothing.
        seen = BEFORE + OUTAGE + 2
        produce(settings, trade(end=seen))
        with workers(settings, tmp_path, 2):
            model = open_queries(settings)
            eventually(lambda: len(got) == 1, "people are notified", timeout=60)
            eventually(lambda: len(published(settings)) == 1, "the topic has it")
            (before,) = model.incidents()
            assert before.state == "open"
            lose_everything(settings)
            assert model.incidents() == (before,)
            produce(settings, trade(begin=seen))
            eventually(lambda: len(got) == 2, "people are notified", timeout=60)
            eventually(lambda: len(published(settings)) == 2, "the topic has it")
            (after,) = model.incidents()
            assert (after.id, after.state) == (before.id, "closed")
            lose_everything(settings)
            assert model.incidents() == (after,)
            assert [(state, one.id) for state, one in published(settings)] == [("open", after.id), ("closed", after.id)]
    assert [row["title"] for row in got] == [
        "orders: number of records is low (error)",
        "orders: number of records is low (over, error)",
    ]
