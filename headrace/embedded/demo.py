"""Everything on one machine: services, producers, workers and dashboard as child processes, started and stopped in order."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from headrace.embedded import Child, EmbeddedStack
from headrace.embedded.child import free_port
from headrace.embedded.readiness import is_listening
from headrace.interrupts import Stop
from stream_app.contract import load_shop
from stream_app.errors import EmbeddedError
from stream_app.kafka.admin import ensure_topics, lag
from stream_app.settings import Settings, load_settings
from stream_app.store.queries import Queries, open_queries
from stream_app.store.writer import close_input, open_input
from stream_app.views.pulse import read_status

DASHBOARD_PORT = 8501
#: Session timeout of the workers on the embedded broker, in seconds: it lets a member that joins wait half of it.
EMBEDDED_SESSION = 4
#: Length of the periods that the reporter writes about, by the stream's time; the first ones are shorter.
REPORT_EVERY = "24h"
#: Days of the simulated shop's past in a demo.
HISTORY_DAYS = 28
#: Incidents of a demo: days and hours after the history, hours long, which.
STAGED = (
    (0, 12, 4, "null_flood"), (1, 9, 5, "price_times"), (2, 14, 6, "outage"), (3, 10, 4, "spike"), (5, 8, 24, "country_gone"),
    (6, 12, 6, "currency_mixup"), (8, 9, 8, "field_renamed"), (9, 15, 5, "duplicate_storm"), (11, 0, 48, "slow_decay"),
    (15, 10, 6, "clock_skew"), (17, 9, 5, "outage"), (19, 12, 4, "price_times"),
)  # fmt: skip
#: Seconds without any progress after which a one-shot run gives up.
STALLED_AFTER = 120.0
#: Seconds between two looks at the children and the status.
LOOK = 0.25


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run."""

    shop: Path | None = None
    data: tuple[str, ...] = ()
    once: bool = False
    rate: str | None = None
    speed: str | None = None
    faults: str = "3%"
    workers: int = 1
    dashboard: bool = True
    port: int | None = None
    browser: bool = True

    def producer(self) -> list[str]:
        """The arguments of the ``headrace`` command that sends the records."""
        pace = [f"--rate={self.rate}"] if self.rate else []
        pace += [f"--speed={self.speed}"] if self.speed else []
        if self.data:
            return ["replay", *pace, *self.data]
        return ["simulate", f"--faults={self.faults}", *(pace or lively(time.time()))]


def lively(now: float) -> list[str]:
    """A shop with a past: four weeks of history at once, so that it is known what is usual, then ten minutes a second.

    Incidents are staged from then on, so that there is something to see. Event time begins long enough ago not to run
    into the future for some hours.
    """
    start = datetime.fromtimestamp(now, UTC) - timedelta(days=120)
    staged = ",".join(f"{name}@{HISTORY_DAYS + day}d{hour}h+{hours}h" for day, hour, hours, name in STAGED)
    return [
        f"--start={start:%Y-%m-%d}", f"--history={HISTORY_DAYS}d", "--speed=600x", "--rate=33/s", f"--incidents={staged}",
    ]  # fmt: skip


class Demo:
    """One run: ``say`` gets lines for the user, ``progress`` a line that replaces the one before."""

    def __init__(self, plan: Plan, stop: Stop, say: Callable[[str], None], progress: Callable[[str], None]) -> None:
        self.plan = plan
        self._stop = stop
        self._say = say
        self._progress = progress
        self._producer: Child | None = None
        self._others: list[Child] = []
        self._services: list[Child] = []

    def run(self) -> dict[str, Any] | None:
        """Run until stopped; with ``once`` until every record is settled.

        Returns:
            The status (see ``headrace status --json``) of a one-shot run; None when stopped.

        Raises:
            EmbeddedError: a child ended by itself, or a one-shot run does not get on. The logs are kept.
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
        """The settings, with an embedded service for each that they do not name."""
        shop = self.plan.shop.absolute() if self.plan.shop else None
        given = load_settings(shop=shop)
        named = given.model_fields_set
        with EmbeddedStack(self._folder, broker="kafka" not in named, redis="redis" not in named) as stack:
            self._services = list(stack.children.values())
            # Children that are killed cannot tidy up behind themselves: our folder takes what they leave.
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
            self._others.append(self._start(f"worker {number}", ["worker"]))
        url = f"http://127.0.0.1:{port}" if port else None
        if port:
            self._others.append(self._start("dashboard", ["dashboard", f"--port={port}"]))
        if not self.plan.once:
            self._others.append(self._start("reporter", ["report", f"--every={REPORT_EVERY}"]))
        self._producer = self._start("producer", self.plan.producer())
        if not self.plan.once:
            self._announce(url)
        line = StatusLine()
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
                    return self._drain(queries, line)
                self._say("all records are sent; the rest goes on until Ctrl-C")
            self._progress(line.of(read_status(queries)))
            self._stop.wait(LOOK)
        return None

    def _drain(self, queries: Queries, line: StatusLine) -> dict[str, Any] | None:
        """Wait until every record that was sent has its verdict; the status then."""
        seen: tuple[int, int] | None = None
        moved = time.monotonic()
        while not self._stop:
            self._check()
            unread = lag(self._settings, self._shop.contracts)
            drained = read_status(queries)  # after it: what is committed is counted by now
            self._progress(line.of(drained))
            left = unread, sum(row["pending"] for row in drained["entities"].values())
            if left == (0, 0) and not any(drained["lag"].values()):
                return drained
            if left != seen:
                seen, moved = left, time.monotonic()
            elif time.monotonic() - moved > STALLED_AFTER:
                raise self._others[0].failure(
                    f"has not got on for {STALLED_AFTER:.0f} s: {left[0]:,} records are unread and {left[1]:,} are waiting"
                )
            self._stop.wait(LOOK)
        return None

    def _start(self, name: str, arguments: list[str]) -> Child:
        command = [sys.executable, "-m", "headrace", *arguments]
        return Child.start(name, command, self._folder / f"{name.replace(' ', '-')}.log", self._environment)

    def _dashboard_port(self) -> int:
        if not is_listening(wanted := self.plan.port or DASHBOARD_PORT):
            return wanted
        if self.plan.port:
            raise EmbeddedError(f"port {wanted} is in use by another program; name a free one with --port")
        return free_port()

    def _announce(self, url: str | None) -> None:
        settings = self._settings
        embedded = self._environment
        entity = list(self._shop.contracts)[-1]
        rows = [
            ("dashboard", url),
            ("Kafka", settings.kafka + (", embedded" if "HEADRACE_KAFKA" in embedded else "")),
            ("Redis", embedded.get("HEADRACE_REDIS", "as HEADRACE_REDIS says")),
            ("logs", str(self._folder)),
        ]
        for name, value in rows:
            if value:
                self._say(f"  {name:<10} {value}")
        self._say("subscribe to clean records with any Kafka client, such as")
        self._say(
            f"  {sys.executable} -m kafka.consumer -b {settings.kafka} -t {settings.topic_prefix}{entity}.clean "
            "-C auto_offset_reset=earliest"
        )
        self._say("Ctrl-C stops everything")

    def _check(self) -> None:
        """Raises EmbeddedError when a child has ended that should run."""
        for child in [*self._services, *self._others]:
            if child.exit_code is not None:
                raise child.failure("ended by itself")
        if self._producer and self._producer.exit_code not in (None, 0):
            raise self._producer.failure("failed")

    def _end(self) -> None:
        """Stop what sends first, so that the workers finish what they hold."""
        for child in [*([self._producer] if self._producer else []), *self._others]:
            child.stop(timeout=15)


class StatusLine:
    """The status in one line, with the rate since the line before."""

    def __init__(self) -> None:
        self._last: tuple[float, int] | None = None
        self._rate = 0.0

    def of(self, status: dict[str, Any], now: float | None = None) -> str:
        """``12,345 in · 12,000 clean · 300 rejected · 45 waiting · 200/s · quality 99.1 %``."""
        now = time.monotonic() if now is None else now
        total = {name: sum(row[name] for row in status["entities"].values()) for name in ("in", "clean", "rejected", "pending")}
        if self._last is None:
            self._last = now, total["in"]
        elif now - self._last[0] >= 1:
            self._rate = (total["in"] - self._last[1]) / (now - self._last[0])
            self._last = now, total["in"]
        score = status["kpis"]["quality_score"]
        parts = [
            f"{total['in']:,} in",
            f"{total['clean']:,} clean",
            f"{total['rejected']:,} rejected",
            f"{total['pending']:,} waiting",
            f"{self._rate:,.0f}/s",
        ]
        return " · ".join(parts + ([f"quality {score * 100:.2f} %"] if score is not None else []))


def open_browser(url: str) -> None:
    """Show the page, where there is a browser with windows; one that runs in the terminal would be in the way."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return
    if type(browser) is not webbrowser.GenericBrowser:
        browser.open(url)
