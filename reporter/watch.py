"""Reports at regular periods of the stream's time, and when an incident has closed."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable

from reporter.periods import HOUR, Period, complete, is_regular
from reporter.service import Outcome, Reporter
from stream_app.errors import HeadraceError

log = logging.getLogger(__name__)

#: Minimum seconds of wall time between two reports of one reporter, however fast the stream's time runs.
PAUSE = 60.0
#: Seconds that a report waits for the monitor, at most; then it says up to when windows are judged.
MONITOR_SECONDS = 60.0
#: Maximum number of closed incidents that wait for their report; beyond it, the oldest get none.
MOST_WAITING = 5
#: Seconds of wall time between two checks of the Redis server.
SERVER_EVERY = 30.0
#: Suffix of the id of a report on closed incidents, which may be about the same period as a regular one.
CLOSED = "-closed"


class Watch:
    """Writes each report that is due and announces it. ``step`` never raises HeadraceError.

    Args:
        every: length of a period, seconds of event time.
        grace: seconds of event time after which a finished period is final.
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
        self._reported_lengths: set[int] = set()
        self._logged: set[str] = set()
        self._doubted: tuple[float, set[str]] | None = None
        self._closed: set[str] | None = None
        self._waiting: deque[Period] = deque(maxlen=MOST_WAITING)
        #: Wall time (ms) and stream time of an earlier pulse, and the event time up to which everything is known to be read.
        self._pulse_before: tuple[int, int] | None = None
        self._read_ms: int | None = None
        #: The period whose report waits for the monitor, and since when (s).
        self._monitor_waited: tuple[Period, float] | None = None

    def step(self) -> Outcome | None:
        """Write at most one report; None if none was due, or if it could not be written and is retried."""
        try:
            outcome: Outcome | None = self._step()
            problems: list[HeadraceError] = self._reporter.announce()
            doubts = self._doubts()
        except HeadraceError as error:
            problems, outcome, doubts = [error], None, set()
        messages = {str(problem) for problem in problems} | doubts
        for problem in messages - self._logged:
            log.warning("%s", problem)
        # A problem that persists is logged once.
        self._logged = messages
        return outcome

    def _doubts(self) -> set[str]:
        """Why figures from this Redis may be wrong; asked now and then."""
        now = self._clock()
        if self._doubted is None or now - self._doubted[0] >= SERVER_EVERY:
            self._doubted = now, set(self._reporter.doubts("refuse"))
        return self._doubted[1]

    def _step(self) -> Outcome | None:
        if self._last_report is not None and self._clock() - self._last_report < self._pause:
            return None
        stream_ms = self._read_until()
        if stream_ms is None:
            return None
        self._look_for_closed()
        due = self._due(complete(stream_ms, self._every, self._grace, self._reporter.zone), stream_ms)
        if due is not None and self._waits_for_monitor(due, stream_ms):
            return None
        if due is not None:
            outcome = self._reporter.report(due, provisional=not self._reporter.is_over(due, self._grace))
            self._last_period = due
            self._reported_lengths.add(self._length(due))
        elif (over := self._over()) is not None:
            outcome = self._reporter.report(over)
        elif self._waiting:
            outcome = self._reporter.report(self._waiting[0], suffix=CLOSED)
            self._waiting.popleft()
        else:
            return None
        if outcome.written_here:
            self._last_report = self._clock()
        return outcome

    def _read_until(self) -> int | None:
        """Return the event time (ms) up to which everything was read; None while that is unknown.

        Partitions are read in parallel, in a replay days of event time apart. So the stream's time counts only once every
        worker has reported after it was read, and only up to the slowest partition with unread records.
        """
        pulse = self._reporter.pulse()
        if pulse.stream_ms is None or not pulse.workers:
            return pulse.stream_ms
        if self._pulse_before is None:
            self._pulse_before = pulse.read_at, pulse.stream_ms
        read_at, stream_ms = self._pulse_before
        if min(worker.at for worker in pulse.workers) > read_at:
            self._pulse_before = pulse.read_at, pulse.stream_ms
            self._read_ms = min([stream_ms, *(worker.behind for worker in pulse.workers if worker.behind is not None)])
        return self._read_ms

    def _waits_for_monitor(self, due: Period, stream_ms: int) -> bool:
        """True for some time while windows of the period are not judged yet: an incident may be over, and not said to be."""
        if self._reporter.judged(due, stream_ms):
            self._monitor_waited = None
            return False
        now = self._clock()
        if self._monitor_waited is None or self._monitor_waited[0] != due:
            self._monitor_waited = due, now
        return now - self._monitor_waited[1] < MONITOR_SECONDS

    def _due(self, finished: tuple[Period, ...], stream_ms: int) -> Period | None:
        """Return the finished period to report now: the regular one, or of a young stream the longest that it covers."""
        regular = self._every in self._reported_lengths or self._reporter.has_reported(self._every)
        # After a regular report, a period without records is worth a report; before it, the stream had not begun.
        covered = (period for period in finished if regular or self._reporter.covers(period, stream_ms))
        due = next(covered, None)
        if due is None or (self._last_period is not None and due.end <= self._last_period.end):
            return None
        length = self._length(due)
        return due if length == self._every or length not in self._reported_lengths else None

    def _length(self, period: Period) -> int:
        """Return the length of a period (s): that of a regular one also where the clocks change within it."""
        return self._every if is_regular(period, self._every, self._reporter.zone) else period.length

    def _over(self) -> Period | None:
        """Return a period that is over and whose only report is provisional."""
        return next((one for one in self._reporter.provisional() if self._reporter.is_over(one, self._grace)), None)

    def _look_for_closed(self) -> None:
        closed = {one.id: one for one in self._reporter.closed_incidents()}
        if self._closed is None:
            # Incidents that closed before this reporter started are not reported.
            self._closed = set(closed)
            return
        for incident_id in sorted(closed.keys() - self._closed, key=lambda one: (closed[one].end, one)):
            one = closed[incident_id]
            period = Period(one.start // HOUR * HOUR, -(-max(one.end, one.start + 60) // HOUR) * HOUR)
            # One cause often has several incidents: those of the same hours share a report.
            if period not in self._waiting:
                self._waiting.append(period)
        self._closed |= set(closed)
