"""A worker that watches its windows: an outage in a replayed stream is reported on the topic, in Redis and at a webhook."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from stream_app.names import INCIDENT_STATE, anomalies_topic
from stream_app.settings import Settings, load_settings
from stream_app.store.incidents import Incident
from stream_app.store.queries import open_queries
from tests.support.stream import BEGIN, Raw, customer, make_topics, order, produce, product, read_topic, workers
from tests.support.waiting import eventually

HOUR = 3_600
#: Hours of trade, an outage of six of them, and hours of trade again.
BEFORE, OUTAGE, AFTER = 80, 6, 6


class Webhook(BaseHTTPRequestHandler):
    """Takes what is posted; the first request fails, as webhooks do."""

    got: list[dict[str, Any]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.got.append(json.loads(body))

    def log_message(self, format: str, *args: Any) -> None:
        return


@contextmanager
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An HTTP server on a free port: its address for HEADRACE_NOTIFY, and what it got."""
    got: list[dict[str, Any]] = []
    server = HTTPServer(("127.0.0.1", 0), type("Hook", (Webhook,), {"got": got}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"json://127.0.0.1:{server.server_port}/hook", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def trade() -> Iterator[Raw]:
    """Some forty orders an hour, with a hole."""
    chance = random.Random(3)
    yield from (customer(number) for number in range(1, 21))
    yield product(1)
    number = 0
    for hour in range(BEFORE + OUTAGE + AFTER):
        if BEFORE <= hour < BEFORE + OUTAGE:
            continue
        for _ in range(round(chance.gauss(40, 6))):
            number += 1
            at = BEGIN // HOUR * HOUR + hour * HOUR + chance.randrange(HOUR)
            moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
            yield order(number, chance.randrange(1, 21), order_date=moment)


@pytest.mark.timeout(120)
def test_an_outage_is_reported_on_the_topic_in_redis_and_at_a_webhook(settings: Settings, tmp_path: Path) -> None:
    with webhook() as (address, got):
        given = {name: getattr(settings, name) for name in settings.model_fields_set}
        settings = load_settings(**given, notify=address, grace=1.0)
        make_topics(settings)
        produce(settings, trade())
        with workers(settings, tmp_path, 2):
            model = open_queries(settings)
            found = eventually(lambda: model.incidents(state="closed"), "the outage is over", timeout=60)
            messages = eventually(lambda: len(got) >= 2 and list(got), "people are notified", timeout=20)
            seen = eventually(lambda: published(settings), "the topic holds both", timeout=20)
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


def published(settings: Settings) -> list[tuple[str, Incident]] | None:
    rows = []
    for record in read_topic(settings, anomalies_topic(settings.topic_prefix)):
        incident = Incident.from_json((record.value or b"").decode())
        assert record.key == incident.id.encode()
        rows.append(((record.header(INCIDENT_STATE) or b"").decode(), incident))
    return rows if len(rows) >= 2 else None
