"""An outage in a replayed stream, and who hears of it: the topic of incidents and a webhook."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from stream_app.names import INCIDENT_STATE, anomalies_topic
from stream_app.settings import Settings
from stream_app.store.incidents import Incident
from tests.support.stream import BEGIN, Raw, customer, order, product, read_topic

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


def trade(begin: int = 0, end: int = BEFORE + OUTAGE + AFTER) -> Iterator[Raw]:
    """Some forty orders an hour, with a hole: the hours from ``begin`` up to and without ``end``."""
    chance = random.Random(3)
    if not begin:
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
            one = order(number, chance.randrange(1, 21), order_date=moment)
            if begin <= hour < end:
                yield one


def published(settings: Settings) -> list[tuple[str, Incident]]:
    """State (header) and incident of each record of the topic."""
    rows = []
    for record in read_topic(settings, anomalies_topic(settings.topic_prefix)):
        incident = Incident.from_json((record.value or b"").decode())
        assert record.key == incident.id.encode()
        rows.append(((record.header(INCIDENT_STATE) or b"").decode(), incident))
    return rows
