"""The share of valid records that is usual for the weekday and hour: that of earlier weeks, incidents left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from stream_app.monitor.incident import Incident
from stream_app.store.queries import HourlyVerdicts, Queries
from stream_app.views.reading import RangeCounts
from stream_app.views.usual import FEWEST_WEEKS, MOST_WEEKS
from stream_app.windows.grain import Grain
from stream_app.windows.zone import UTC, Zone

_HOUR = Grain.HOUR.seconds
#: The longest range, in seconds: a week in which the clocks change.
_MOST = 169 * _HOUR
#: Incidents about these metrics say nothing about how many records are valid.
_UNRELATED = ("volume", "revenue", "average_order", "mix:")


def usual_valid_of_range(queries: Queries, read: RangeCounts) -> float | None:
    """Read which share of valid records is usual for the complete hours of a range, in two round trips.

    None for a range without complete hours or of more than a week, and while an entity has fewer than FEWEST_WEEKS earlier
    weeks with records outside of incidents.

    Raises:
        StoreError: Redis is unavailable, or its keys are not Headrace's.
    """
    span, stream_ms = read.span, read.stream.stream_ms
    if span is None or stream_ms is None or read.first is None or read.all_time:
        return None
    period = span.start, min(span.end, Grain.HOUR.start(stream_ms / 1000))
    if span.start % _HOUR or not 0 < period[1] - period[0] <= _MOST:
        return None
    past = [at for at, _ in _past(period, read.first, span.zone)]
    judged = {
        entity: sum(one.counts.clean + one.counts.rejected for one in windows if period[0] <= one.start < period[1])
        for entity, windows in read.windows.items()
    }
    weights = {entity: many * read.stream.contracts[entity].weight for entity, many in judged.items()}
    entities = [entity for entity, weight in weights.items() if weight > 0]
    if len(past) < FEWEST_WEEKS * (period[1] - period[0]) // _HOUR or not entities:
        return None
    incidents = queries.incidents(since=min(past), until=period[1], limit=1_000)
    found = queries.verdicts_by_hour(entities, past)
    return usual_valid(weights, period, read.first, found, incidents, span.zone)


def usual_valid(
    weights: Mapping[str, float],
    period: tuple[int, int],
    first: int,
    found: Mapping[tuple[str, int], HourlyVerdicts],
    incidents: Iterable[Incident],
    zone: Zone = UTC,
) -> float | None:
    """Compute the usual share: that of each entity over all calm hours, weighted as in the period itself. Pure.

    Args:
        weights: entity → judged records of the period × the weight in its contract.
        first: start of the stream (s).
        found: (entity, hour) → verdicts; an hour without records is missing.
    """
    shares: list[tuple[float, float]] = []
    disturbed = [one for one in incidents if not one.metric.startswith(_UNRELATED)]
    for entity, weight in weights.items():
        if weight <= 0:
            continue
        weeks: set[int] = set()
        valid = judged = 0
        own = [one for one in disturbed if one.entity == entity]
        for at, back in _past(period, first, zone):
            one = found.get((entity, at))
            if one is None or not one.judged or any(each.start < at + _HOUR and each.end > at for each in own):
                continue
            weeks.add(back)
            valid, judged = valid + one.clean - one.warned, judged + one.judged
        if len(weeks) < FEWEST_WEEKS:
            return None
        shares.append((weight, min(1.0, max(0.0, valid / judged))))
    whole = sum(weight for weight, _ in shares)
    return sum(weight * share for weight, share in shares) / whole if whole else None


def _past(period: tuple[int, int], first: int, zone: Zone) -> list[tuple[int, int]]:
    """Return the same hours of earlier weeks, each with how many weeks ago it was."""
    return [
        (at, back)
        for back in range(1, MOST_WEEKS + 1)
        for hour in range(*period, _HOUR)
        if (at := zone.earlier(hour, 7 * back)) >= max(0, first)
    ]
