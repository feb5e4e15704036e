"""Run everything on one machine as child processes: services, a producer, workers, the dashboard, the reporter."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from headrace.embedded import Child, EmbeddedStack
from headrace.embedded.browser import open_browser
from headrace.embedded.child import free_port
from headrace.embedded.plan import Plan
from headrace.embedded.readiness import is_listening
from headrace.interrupts import Stop
from stream_app.contract import load_shop
from stream_app.errors import EmbeddedError
from stream_app.kafka.admin import ensure_topics, lag
from stream_app.settings import Settings, load_settings
from stream_app.store.queries import Queries, open_queries
from stream_app.store.writer import close_input, open_input
from stream_app.views.pulse import read_status

#: Default port of the dashboard.
DASHBOARD_PORT = 8501
#: Session timeout of the workers on the embedded broker, in seconds; a member that joins waits half of it.
EMBEDDED_SESSION = 4
#: Length of the reporter's periods, in event time; the first ones are shorter.
REPORT_EVERY = "24h"
#: Seconds without progress after which a one-shot run gives up.
STALLED_AFTER = 120.0
#: Seconds between two checks of the children and the status.
INTERVAL = 0.25


class Demo:
    """One run of a plan.

    Args:
        say: gets lines for the user.
        show: gets the status, several times per second.
    """

    def __init__(self, plan: Plan, stop: Stop, say: Callable[[str], None], show: Callable[[dict[str, Any]], None]) -> None:
        self.plan = plan
        self._stop = stop
        self._say = say
        self._show = show
        self._producer: Child | None = None
        self._children: list[Child] = []
        self._services: list[Child] = []

    def run(self) -> dict[str, Any] | None:
        """Run until stopped; with ``once``, until every record has a verdict.

        Returns:
            The status (see ``headrace status --json``) of a one-shot run; None when stopped.

        Raises:
            EmbeddedError: a child ended, or a one-shot run makes no progress. The logs are kept.
        """
        port = self._dashboard_port() if self.plan.dashboard and not self.plan.once else None
        self._folder = Path(tempfile.mkdtemp(prefix="headrace-demo-"))
        with self._services_running() as settings:
            self._settings, self._shop = settings, load_shop(settings.shop)
            try:
                result = self._run(port)
            finally:
                self._end()
        shutil.rmtree(self._folder, ignore_errors=True)
        return result

    @contextmanager
    def _services_running(self) -> Iterator[Settings]:
        """Yield the settings; an embedded service runs for each that they do not name."""
        shop = self.plan.shop.absolute() if self.plan.shop else None
        given = load_settings(shop=shop)
        named = given.model_fields_set
        with EmbeddedStack(self._folder, broker="kafka" not in named, redis="redis" not in named) as stack:
            self._services = list(stack.children.values())
            # Killed children cannot remove their temporary files, so these go into our folder.
            self._environment = {"TMPDIR": str(self._folder)}
            if given.shop:
                self._environment["HEADRACE_SHOP"] = str(given.shop)
            if "kafka" not in named:
                self._environment["HEADRACE_KAFKA"] = stack.kafka
                if "session_timeout" not in named:
                    self._environment["HEADRACE_SESSION_TIMEOUT"] = str(EMBEDDED_SESSION)
            if "redis" not in named:
                self._environment["HEADRACE_REDIS"] = stack.redis_url
            prefix = "HEADRACE_"
            own = {name[len(prefix) :].lower(): v for name, v in self._environment.items() if name.startswith(prefix)}
            yield load_settings(**own)

    def _run(self, port: int | None) -> dict[str, Any] | None:
        settings = self._settings
        ensure_topics(settings, self._shop.contracts)
        open_input(settings.redis.get_secret_value(), settings.redis_prefix)
        queries = open_queries(settings)
        for number in range(1, self.plan.workers + 1):
            self._children.append(self._start(f"worker {number}", ["worker"]))
        url = f"http://127.0.0.1:{port}" if port else None
        if port:
            self._children.append(self._start("dashboard", ["dashboard", f"--port={port}"]))
        if not self.plan.once:
            self._children.append(self._start("reporter", ["report", f"--every={REPORT_EVERY}"]))
        self._producer = self._start("producer", self.plan.producer())
        if not self.plan.once:
            self._announce(url)
        opening = url if self.plan.browser else None
        sent = False
        while not self._stop:
            self._check()
            if opening and is_listening(int(opening.rpartition(":")[2])):
                open_browser(opening)
                opening = None
            if not sent and self._producer.exit_code == 0:
                sent = True
                close_input(settings.redis.get_secret_value(), settings.redis_prefix)
                if self.plan.once:
                    return self._drain(queries)
                self._say("all records are sent; workers and dashboard run until Ctrl-C")
            self._show(read_status(queries))
            self._stop.wait(INTERVAL)
        return None

    def _drain(self, queries: Queries) -> dict[str, Any] | None:
        """Wait until every record has a verdict; return the status."""
        seen: tuple[int, int] | None = None
        moved = time.monotonic()
        while not self._stop:
            self._check()
            unread = lag(self._settings, self._shop.contracts)
            drained = read_status(queries)  # read after the lag, because a committed record is counted
            self._show(drained)
            left = unread, sum(row["pending"] for row in drained["entities"].values())
            if left == (0, 0) and not any(drained["lag"].values()):
                return drained
            if left != seen:
                seen, moved = left, time.monotonic()
            elif time.monotonic() - moved > STALLED_AFTER:
                raise self._children[0].failure(
                    f"made no progress for {STALLED_AFTER:.0f} s: {left[0]:,} records are unread, {left[1]:,} are waiting"
                )
            self._stop.wait(INTERVAL)
        return None

    def _start(self, name: str, arguments: list[str]) -> Child:
        command = [sys.executable, "-m", "headrace", *arguments]
        return Child.start(name, command, self._folder / f"{name.replace(' ', '-')}.log", self._environment)

    def _dashboard_port(self) -> int:
        if not is_listening(wanted := self.plan.port or DASHBOARD_PORT):
            return wanted
        if self.plan.port:
            raise EmbeddedError(f"port {wanted} is in use by another program; choose a free one with --port")
        return free_port()

    def _announce(self, url: str | None) -> None:
        settings = self._settings
        embedded = self._environment
        entity = list(self._shop.contracts)[-1]
        rows = [
            ("dashboard", url),
            ("Kafka", settings.kafka + (", embedded" if "HEADRACE_KAFKA" in embedded else "")),
            ("Redis", embedded.get("HEADRACE_REDIS", "the one of HEADRACE_REDIS")),
            ("logs", str(self._folder)),
        ]
        for name, value in rows:
            if value:
                self._say(f"  {name:<10} {value}")
        self._say("subscribe to clean records with any Kafka client, for example")
        self._say(
            f"  {sys.executable} -m kafka.consumer -b {settings.kafka} -t {settings.topic_prefix}{entity}.clean "
            "-C auto_offset_reset=earliest"
        )
        self._say("Ctrl-C stops everything")

    def _check(self) -> None:
        """Raise EmbeddedError if a child has ended that should run."""
        for child in [*self._services, *self._children]:
            if child.exit_code is not None:
                raise child.failure("ended")
        if self._producer and self._producer.exit_code not in (None, 0):
            raise self._producer.failure("failed")

    def _end(self) -> None:
        """Stop the producer first, so that the workers finish their batches."""
        for child in [*([self._producer] if self._producer else []), *self._children]:
            child.stop(timeout=15)
