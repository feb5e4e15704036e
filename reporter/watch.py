"""Reports again and again: one a period of the stream's time as it ends, and one when an incident has closed."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable

from reporter.periods import HOUR, Period, complete
from reporter.service import Outcome, Reporter
from stream_app.errors import HeadraceError

log = logging.getLogger(__name__)

#: Seconds of the clock between two reports of one reporter, however fast the stream's time runs.
PAUSE = 60.0
#: Closed incidents that wait for their report; of more, the oldest go without.
MOST_WAITING = 5
#: Ends the id of a report on closed incidents, which may be about the same period as a regular one.
CLOSED = "-closed"


class Watch:
    """``step`` looks whether a report is due, writes it, and announces what is not announced. Never raises HeadraceError.

    ``every``: length of a period, seconds of event time; ``grace``: how long after its end a period is final, likewise.
    """

    def __init__(
        self,
        reporter: Reporter,
        every: int,
        grace: float,
        *,
        pause: float = PAUSE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reporter = reporter
        self._every = every
        self._grace = grace
        self._pause = pause
        self._clock = clock
        self._last_report: float | None = None
        self._last_period: Period | None = None
        self._rungs: set[int] = set()
        self._said: set[str] = set()
        self._closed: set[str] | None = None
        self._waiting: deque[Period] = deque(maxlen=MOST_WAITING)
        #: The clock (ms) and the stream's time when it was last read, and how far the stream is known to be read.
        self._seen: tuple[int, int] | None = None
        self._read: int | None = None

    def step(self) -> Outcome | None:
        """At most one report; None when none was due or it could not be written, which is tried again."""
        try:
            outcome: Outcome | None = self._step()
            problems: list[HeadraceError] = self._reporter.announce()
        except HeadraceError as error:
            problems, outcome = [error], None
        said = {str(problem) for problem in problems}
        for problem in said - self._said:
            log.warning("%s", problem)
        # What goes on being wrong is said once.
        self._said = said
        return outcome

    def _step(self) -> Outcome | None:
        if self._last_report is not None and self._clock() - self._last_report < self._pause:
            return None
        stream_ms = self._read_until()
        if stream_ms is None:
            return None
        self._look_for_closed()
        due = self._due(complete(stream_ms, self._every, self._grace), stream_ms)
        if due is not None:
            outcome = self._reporter.report(due)
            self._last_period = due
            self._rungs.add(due.length)
        elif self._waiting:
            outcome = self._reporter.report(self._waiting[0], suffix=CLOSED)
            self._waiting.popleft()
        else:
            return None
        if outcome.written_here:
            self._last_report = self._clock()
        return outcome

    def _read_until(self) -> int | None:
        """The event time (ms) up to which all was read; None while that is not known.

        Partitions are read side by side, in a replay days of event time apart. So the stream's time counts only once every
        worker has reported after it was read, and only as far as all partitions with unread records have come.
        """
        pulse = self._reporter.pulse()
        if pulse.stream_ms is None or not pulse.workers:
            return pulse.stream_ms
        if self._seen is None:
            self._seen = pulse.read_at, pulse.stream_ms
        read_at, stream_ms = self._seen
        if min(worker.at for worker in pulse.workers) > read_at:
            self._seen = pulse.read_at, pulse.stream_ms
            self._read = min([stream_ms, *(worker.behind for worker in pulse.workers if worker.behind is not None)])
        return self._read

    def _due(self, over: tuple[Period, ...], stream_ms: int) -> Period | None:
        """The period to report now, of those that are over: the regular one, or of a young stream the longest it covers."""
        regular = self._every in self._rungs or self._reporter.has_reported(self._every)
        # After a regular report, a period without a record is news; before, the stream was not there yet.
        covered = (period for period in over if regular or self._reporter.covers(period, stream_ms))
        due = next(covered, None)
        if due is None or (self._last_period is not None and due.end <= self._last_period.end):
            return None
        return due if due.length == self._every or due.length not in self._rungs else None

    def _look_for_closed(self) -> None:
        closed = {one.id: one for one in self._reporter.closed_incidents()}
        if self._closed is None:
            # What closed before this reporter started was reported then, or nobody wanted to know.
            self._closed = set(closed)
            return
        for incident_id in sorted(closed.keys() - self._closed, key=lambda one: (closed[one].end, one)):
            one = closed[incident_id]
            period = Period(one.start // HOUR * HOUR, -(-max(one.end, one.start + 60) // HOUR) * HOUR)
            # What breaks one thing breaks several: incidents of the same hours have one report.
            if period not in self._waiting:
                self._waiting.append(period)
        self._closed |= set(closed)
