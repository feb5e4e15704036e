"""A worker that watches its windows: an outage in a replayed stream is reported on the topic, in Redis and at a webhook."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_app.settings import Settings
from stream_app.store.queries import open_queries
from tests.support.crew import changed
from tests.support.outage import BEFORE, HOUR, OUTAGE, published, trade, webhook
from tests.support.stream import BEGIN, make_topics, produce, workers
from tests.support.waiting import eventually


@pytest.mark.timeout(120)
def test_an_outage_is_reported_on_the_topic_in_redis_and_at_a_webhook(settings: Settings, tmp_path: Path) -> None:
    with webhook() as (address, got):
        settings = changed(settings, notify=address, grace=1.0)
        make_topics(settings)
        produce(settings, trade())
        with workers(settings, tmp_path, 2):
            model = open_queries(settings)
            found = eventually(lambda: model.incidents(state="closed"), "the outage is over", timeout=60)
            messages = eventually(lambda: len(got) >= 2 and list(got), "people are notified", timeout=20)
            seen = eventually(lambda: len(rows := published(settings)) >= 2 and rows, "the topic holds both", timeout=20)
    start = BEGIN // HOUR * HOUR + BEFORE * HOUR
    (outage,) = [incident for incident in found if incident.metric == "volume"]
    assert (outage.entity, outage.direction, outage.severity, outage.observed) == ("orders", "low", "error", 0)
    assert start <= outage.start <= start + HOUR
    assert outage.end == start + OUTAGE * HOUR
    assert [incident.id for incident in found] == [outage.id]
    assert [(state, one.id) for state, one in seen] == [("open", outage.id), ("closed", outage.id)]
    assert seen[-1][1] == outage
    assert [row["title"] for row in messages] == [
        "orders: number of records is low (error)",
        "orders: number of records is low (over, error)",
    ]
    for log in tmp_path.glob("worker-*.log"):
        assert "hook" not in log.read_text()
