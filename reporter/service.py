"""One report from claim to announcement: the reporter that claims a period writes it, the others find it written."""

from __future__ import annotations

import dataclasses
import logging
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from reporter import render
from reporter.author import Author, Written
from reporter.claims import Claim, claims_of
from reporter.compute import compute
from reporter.facts import Facts
from reporter.material import read_before, read_material
from reporter.periods import PROVISIONAL, SHORT_LENGTHS, Period, is_regular, suggested, up_to
from reporter.publish import Channel
from reporter.report import report_of
from reporter.texts import Texts
from reporter.texts import texts as texts_of
from stream_app.errors import HeadraceError, StoreError
from stream_app.monitor.incident import Incident
from stream_app.settings import Settings
from stream_app.store.connection import connect
from stream_app.store.queries import Queries, open_queries
from stream_app.store.reports import ReportStore, StoredReport
from stream_app.views.period import COMPARABLE, is_comparable
from stream_app.views.pulse import Pulse, read_pulse
from stream_app.views.server import problems_of
from stream_app.windows.zone import Zone

log = logging.getLogger(__name__)

#: Message before the first record.
NOTHING_YET = "nothing to report, because no record has been counted yet; send some with `headrace replay`"
#: Seconds after the model's deadline until a claim expires and another reporter may take over.
CLAIM_MARGIN = 30.0
#: Seconds until the claim of an announcement expires.
ANNOUNCING = 120.0
#: Seconds between two looks for a report that another reporter is writing.
POLL = 0.2


@dataclass(frozen=True, slots=True)
class Outcome:
    """A report; ``written_here`` if this reporter wrote it."""

    report: StoredReport
    written_here: bool


class Reporter:
    """Writes reports about one shop and announces them on ``channels``; ``clock`` returns epoch seconds."""

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
        self.zone = Zone(settings.timezone)
        self._texts: Texts = dataclasses.replace(texts_of(settings.report_language), zone=self.zone)

    def stream(self) -> tuple[int | None, int | None]:
        """Return the start of the stream (s) and its time (ms); None before the first record."""
        return self._queries.began(), read_pulse(self._queries).stream_ms

    def pulse(self) -> Pulse:
        """Read the pipeline's state."""
        return read_pulse(self._queries)

    def doubts(self, severity: str | None = None) -> list[str]:
        """Return why figures from this Redis may be wrong or get lost; ``severity``: only such problems.

        Raises:
            StoreError: Redis is unavailable.
        """
        return [one.text for one in problems_of(self._queries.server()) if severity in {None, one.severity}]

    def suggested(self) -> Period:
        """Return the longest usual period up to now, at most a day, whose previous period is comparable.

        Raises:
            StoreError: no record has been counted yet.
        """
        first, stream_ms = self.stream()
        if stream_ms is None:
            raise StoreError(NOTHING_YET)
        for period in suggested(first, stream_ms):
            if is_comparable(self._queries.period(period.start, period.end), read_before(self._queries, period)):
                return period
        return up_to(stream_ms, SHORT_LENGTHS[2])

    def has_reported(self, every: int) -> bool:
        """True if one of the last reports is a regular one about a period of this length (s)."""
        return any(is_regular(Period(one.start, one.end), every, self.zone) for one in self._store.newest())

    def covers(self, period: Period, stream_ms: int) -> bool:
        """True if the stream covers a period from its beginning.

        Its first quarter has not much fewer records than the rest, or the whole period before it has not much fewer than it: a
        shop may be closed at night. Stray records with an old date do not make a stream older.
        """
        quarter = period.start + max(60, period.length // 4 // 60 * 60)
        early = self._rate(period.start, quarter)
        later = max(self._rate(quarter, period.end), self._rate(period.end, up_to(stream_ms, 60).end))
        if early > 0 and early >= COMPARABLE * later:
            return True
        before, here = self._rate(period.before.start, period.before.end), self._rate(period.start, period.end)
        return here > 0 and before > 0 and before >= COMPARABLE * here

    def _rate(self, start: int, end: int) -> float:
        """Return records per second; 0 for an empty period."""
        if start >= end:
            return 0.0
        return sum(one.counts.received for one in self._queries.period(start, end).values()) / (end - start)

    def judged(self, period: Period, stream_ms: int) -> bool:
        """True if the monitor has judged the final windows of a period, or watches no entity."""
        final = stream_ms / 1_000 - self._settings.window_grace
        monitored = self._queries.monitored(list(self._queries.contracts()))
        return not self._settings.monitor or all(
            one.until >= min(one.grain.start(period.end), one.grain.start(final)) for one in monitored.values()
        )

    def judged_to_the_end(self, period: Period) -> bool:
        """True if the monitor has judged every whole window of a period, or watches no entity: what is open then is open."""
        monitored = self._queries.monitored(list(self._queries.contracts()))
        return not self._settings.monitor or all(one.until >= one.grain.start(period.end) for one in monitored.values())

    def closed_incidents(self) -> tuple[Incident, ...]:
        """Return the newest closed incidents."""
        return self._queries.incidents(state="closed")

    def is_over(self, period: Period, grace: float | None = None) -> bool:
        """True if no more records of a period are expected, and its report is final.

        The stream's time is past its end by ``grace`` seconds, or the producers are done for good; the workers have read up to
        there, and the monitor has judged its windows: an incident that closed in the last of them is not said to be open.
        Default of ``grace``: HEADRACE_GRACE, or HEADRACE_WINDOW_GRACE if that is longer.
        """
        pulse = self.pulse()
        if pulse.stream_ms is None:
            return False
        behind = [worker.behind for worker in pulse.workers if worker.behind is not None]
        if self._queries.input_closed():
            # Without more records, the last windows do not become final.
            idle = not behind and not pulse.known_lag and not pulse.total_waiting
            return idle and self.judged(period, pulse.stream_ms)
        after = max(self._settings.grace, self._settings.window_grace) if grace is None else grace
        return min([pulse.stream_ms, *behind]) >= (period.end + after) * 1000 and self.judged_to_the_end(period)

    def provisional(self) -> tuple[Period, ...]:
        """Return the periods among the newest reports that have a provisional one in this language."""
        ending = f"-{self._settings.report_language}{PROVISIONAL}"
        return tuple(Period(one.start, one.end) for one in self._store.newest() if one.id.endswith(ending))

    def facts(self, period: Period, back: int | None = None) -> Facts:
        """Compute the facts of a period; ``back``: see ``Material``.

        Raises:
            StoreError: Redis is unavailable, no worker has announced a contract, or the period's windows have expired.
        """
        return compute(read_material(self._queries, period, back, self.zone), self._texts)

    def claims(self, facts: Facts) -> dict[str, Claim]:
        """Return the claims that facts support."""
        return claims_of(facts, self._texts)

    def report(self, period: Period, *, anew: bool = False, suffix: str = "", provisional: bool = False) -> Outcome:
        """Return the report of a period: written here, or by the reporter that claimed it first.

        Args:
            anew: write it again even if it exists.
            suffix: ends the id of another report about the same period, such as one on closed incidents.
            provisional: the period is not over. The report is about its complete part, has another id, and is written each time
                it is asked for; the final report replaces it.

        Raises:
            StoreError: Redis is unavailable, or the report cannot be written.
        """
        report_id = period.report_id(self._settings.report_language) + (PROVISIONAL if provisional else suffix)
        anew = anew or provisional
        token = uuid.uuid4().hex
        claim_seconds = self._settings.llm_timeout + CLAIM_MARGIN
        deadline = time.monotonic() + 2 * claim_seconds
        while True:
            claimed = self._store.claim(report_id, token, claim_seconds, replace=anew)
            if claimed == "mine":
                return self._write(period, report_id, token, anew=anew, provisional=provisional)
            found = self._store.get(report_id)
            if claimed == "done" and found is not None:
                if not suffix:
                    self._store.withdraw(report_id + PROVISIONAL)
                return Outcome(found, written_here=False)
            if time.monotonic() > deadline:
                raise StoreError(f"report {report_id} is still being written by another reporter; try again later")
            time.sleep(POLL)

    def _write(self, period: Period, report_id: str, token: str, *, anew: bool, provisional: bool) -> Outcome:
        try:
            facts = self.facts_so_far(period) if provisional else self.facts(period)
            written = self._author.write(facts, self._texts)
            report = self._stored(period, report_id, facts, written, provisional=provisional)
            published = self._store.publish(report, token, replace=anew)
        except BaseException:
            self._store.release(report_id, token)
            raise
        if not published:
            # The claim expired and another reporter was faster: subscribers know its report.
            found = self._store.get(report_id)
            if found is None:
                raise StoreError(f"report {report_id} could not be stored; check Redis' log, then try again")
            return Outcome(found, written_here=False)
        self._store.count(written.counts)
        self._store.withdraw(report_id + PROVISIONAL)
        return Outcome(report, written_here=True)

    def facts_so_far(self, period: Period) -> Facts:
        """Compute the facts of the complete part of a period, compared with the same part of the previous one."""
        _, stream_ms = self.stream()
        part = None if stream_ms is None else period.cut(stream_ms)
        return self.facts(period) if part is None else self.facts(part, period.length)

    def _stored(self, period: Period, report_id: str, facts: Facts, written: Written, *, provisional: bool) -> StoredReport:
        texts = self._texts
        body = report_of(written.draft, facts, texts, written_by=written.by, model=written.model, prompt=written.prompt)
        if name := self._settings.shop_name:
            body = msgspec.structs.replace(body, title=texts("sections", "of_shop", shop=name, title=body.title))
        if provisional:
            body = msgspec.structs.replace(body, title=texts("sections", "provisional", title=body.title))
        return StoredReport(
            id=report_id,
            start=period.start,
            end=period.end,
            created=int(self._clock()),
            language=texts.language,
            written_by=written.by,
            model=written.model,
            verdict=written.provenance.to_dict(),
            report=body.to_dict(),
            facts=facts.to_dict(),
            markdown=render.markdown(body, facts, texts),
            html=render.html(body, facts, texts),
            provisional=provisional,
        )

    def announce(self) -> list[HeadraceError]:
        """Announce every published report that was not announced yet; return the errors, which the next call retries."""
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
