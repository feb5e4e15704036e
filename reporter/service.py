"""One report from claim to announcement: whoever claims a period writes it, everyone else finds it written."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from reporter import render
from reporter.author import Author, Written
from reporter.compute import compute
from reporter.facts import Facts
from reporter.material import Health, Material
from reporter.periods import LADDER, Period, suggested, up_to
from reporter.publish import Channel
from reporter.texts import Texts, texts
from stream_app.errors import HeadraceError, StoreError
from stream_app.monitor.incident import Incident
from stream_app.settings import Settings
from stream_app.store.connection import connect
from stream_app.store.period import PeriodCounts
from stream_app.store.queries import Queries, open_queries
from stream_app.store.reports import ReportStore, StoredReport
from stream_app.views.period import COMPARABLE, is_comparable
from stream_app.views.pulse import Pulse, read_pulse

log = logging.getLogger(__name__)

#: What to do before there is anything to report.
NOTHING_YET = "nothing was counted yet, so there is nothing to report; send records with `headrace replay` first"
#: A claim outlives the model's deadline by this many seconds; then another reporter may take over.
CLAIM_MARGIN = 30.0
#: Seconds that telling of a report may take before another reporter tells.
ANNOUNCING = 120.0
#: Seconds to wait for a report that another reporter is writing, beyond the claim, and between two looks.
LOOK = 0.2


@dataclass(frozen=True, slots=True)
class Outcome:
    """A report, and whether this reporter wrote it."""

    report: StoredReport
    written_here: bool


class Reporter:
    """Writes reports of one shop. ``author`` writes drafts, ``channels`` hear of reports; ``clock`` gives epoch seconds."""

    def __init__(
        self,
        settings: Settings,
        author: Author,
        channels: Sequence[Channel] = (),
        *,
        queries: Queries | None = None,
        store: ReportStore | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._author = author
        self._channels = channels
        self._queries = queries or open_queries(settings)
        self._store = store or ReportStore(connect(settings), settings.redis_prefix)
        self._clock = clock
        self._texts: Texts = texts(settings.report_language)

    def stream(self) -> tuple[int | None, int | None]:
        """The start of the stream (s) and its time (ms); None where nothing came yet."""
        return self._queries.began(), read_pulse(self._queries).stream_ms

    def pulse(self) -> Pulse:
        """How the pipeline stands."""
        return read_pulse(self._queries)

    def suggested(self) -> Period:
        """The longest usual period up to now, a day at most, that has one before it to compare with.

        Raises:
            StoreError: nothing was counted yet.
        """
        first, stream_ms = self.stream()
        if stream_ms is None:
            raise StoreError(NOTHING_YET)
        for period in suggested(first, stream_ms):
            if is_comparable(self._queries.period(period.start, period.end), self._before(period)):
                return period
        return up_to(stream_ms, LADDER[2])

    def has_reported(self, length: int) -> bool:
        """Whether one of the last reports is about a period of this length (s)."""
        return any(one.end - one.start == length for one in self._store.newest())

    def covers(self, period: Period, stream_ms: int) -> bool:
        """Whether the stream was there from a period's beginning: its first quarter is not much thinner than what follows.

        Stray records with an old date do not make a stream older.
        """
        quarter = period.start + max(60, period.length // 4 // 60 * 60)
        early = self._rate(period.start, quarter)
        later = max(self._rate(quarter, period.end), self._rate(period.end, up_to(stream_ms, 60).end))
        return early > 0 and early >= COMPARABLE * later

    def _rate(self, start: int, end: int) -> float:
        """Records a second; 0 where there is no time between."""
        if start >= end:
            return 0.0
        return sum(one.counts.received for one in self._queries.period(start, end).values()) / (end - start)

    def _before(self, period: Period) -> Mapping[str, PeriodCounts]:
        before = period.before
        return self._queries.period(before.start, before.end, called="the period before, to compare with,")

    def closed_incidents(self) -> tuple[Incident, ...]:
        """The newest incidents that are over."""
        return self._queries.incidents(state="closed")

    def facts(self, period: Period) -> Facts:
        """The facts of a period.

        Raises:
            StoreError: Redis is down, nothing was counted yet, or the period's windows are no longer kept.
        """
        queries = self._queries
        now = read_pulse(queries)
        if not now.contracts:
            raise StoreError("no worker has announced a contract yet; start one with `headrace worker`")
        first = queries.began()
        covered = first is not None and first <= period.before.start
        return compute(
            Material(
                start=period.start,
                end=period.end,
                contracts=now.contracts,
                counts=queries.period(period.start, period.end),
                before=self._before(period) if covered else None,
                incidents=queries.incidents(since=period.start, until=period.end),
                health=Health(
                    workers=len(now.workers),
                    lag=sum(now.lag.values()) if now.lag else None,
                    waiting=sum(now.waiting.values()),
                    stream=None if now.stream_ms is None else now.stream_ms // 1000,
                ),
            ),
            self._texts,
        )

    def report(self, period: Period, *, anew: bool = False, suffix: str = "") -> Outcome:
        """The one report of a period: written here, or by whoever claimed it first.

        ``anew``: write it again although it is there. ``suffix`` tells a report on an incident from the period's own.

        Raises:
            StoreError: Redis is down, or nothing was counted yet.
        """
        report_id = period.report_id(self._settings.report_language) + suffix
        token = uuid.uuid4().hex
        held = self._settings.llm_timeout + CLAIM_MARGIN
        deadline = time.monotonic() + 2 * held
        while True:
            claimed = self._store.claim(report_id, token, held, replace=anew)
            if claimed == "mine":
                return self._write(period, report_id, token, anew)
            found = self._store.get(report_id)
            if claimed == "done" and found is not None:
                return Outcome(found, False)
            if time.monotonic() > deadline:
                raise StoreError(f"report {report_id} is being written by another reporter and does not get done; try again")
            time.sleep(LOOK)

    def _write(self, period: Period, report_id: str, token: str, anew: bool) -> Outcome:
        try:
            facts = self.facts(period)
            written = self._author.write(facts, self._texts)
            report = self._stored(period, report_id, facts, written)
            kept = self._store.publish(report, token, replace=anew)
        except BaseException:
            self._store.release(report_id, token)
            raise
        if not kept:
            # The claim lapsed meanwhile and another reporter was faster: its report is the one that subscribers know.
            found = self._store.get(report_id)
            if found is None:
                raise StoreError(f"report {report_id} could not be kept; look into Redis' log, then try again")
            return Outcome(found, False)
        self._store.count(written.counts)
        return Outcome(report, True)

    def _stored(self, period: Period, report_id: str, facts: Facts, written: Written) -> StoredReport:
        say = self._texts
        sections = render.sections(written.draft, facts, say, written_by=written.by, model=written.model, prompt=written.prompt)
        return StoredReport(
            id=report_id,
            start=period.start,
            end=period.end,
            created=int(self._clock()),
            language=say.language,
            written_by=written.by,
            model=written.model,
            verdict=written.verdict,
            report=sections,
            facts=facts.to_dict(),
            markdown=render.markdown(sections, facts, say),
            html=render.html(sections, facts, say),
        )

    def announce(self) -> list[HeadraceError]:
        """Send every published report that was not announced yet; what went wrong is returned, and tried again next time."""
        problems: list[HeadraceError] = []
        token = uuid.uuid4().hex
        for report_id in self._store.unannounced():
            if not self._store.claim_announcement(report_id, token, ANNOUNCING):
                continue
            try:
                report = self._store.get(report_id)
                if report is not None:
                    for channel in self._channels:
                        channel.send(report)
                self._store.announced(report_id)
            except HeadraceError as error:
                problems.append(error)
            finally:
                self._store.release_announcement(report_id, token)
        return problems
