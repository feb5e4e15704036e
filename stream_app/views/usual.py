"""Sales that are usual for the weekday and hour: the mean of the same hours in earlier weeks, incidents left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from stream_app.contract.money import in_units
from stream_app.contract.summary import ContractSummary
from stream_app.monitor.acts import Act, life_of_cause
from stream_app.monitor.causes import causes
from stream_app.monitor.incident import Incident
from stream_app.store.queries import HourlySales, Queries
from stream_app.views.reading import RangeCounts
from stream_app.windows.grain import Grain
from stream_app.windows.zone import UTC, Zone

_HOUR, _WEEK = Grain.HOUR.seconds, 7 * 86_400
#: Most earlier weeks that are looked at, and fewest that each hour needs.
MOST_WEEKS, FEWEST_WEEKS = 8, 3
#: Incidents about these metrics say nothing about how much was sold. A mix does: a country without orders is revenue lost.
_UNRELATED = ("null:", "drift:")


@dataclass(frozen=True, slots=True)
class Usual:
    """Usual sales of a period: sums of the means of its hours.

    Attributes:
        start, end: the period, whole hours (s).
        revenue_minor: in minor units.
        orders: None if several records share an order, so that hours cannot be added.
        weeks: number of earlier weeks that each hour has at least.
        observed_minor, observed_orders: the same of the period itself.
    """

    start: int
    end: int
    revenue_minor: float
    orders: float | None
    weeks: int
    observed_minor: int
    observed_orders: int | None
    currency: str | None = None

    @property
    def revenue(self) -> float:
        """Usual revenue in units of currency."""
        return in_units(round(self.revenue_minor), self.currency)


def read_usual(
    queries: Queries,
    contracts: Mapping[str, ContractSummary],
    sales: str | None,
    first: int | None,
    start: int,
    end: int,
    zone: Zone = UTC,
) -> Usual | None:
    """Read what is usual for a period, in at most three round trips. ``first``: start of the stream (s); ``zone``: its hours.

    None if the period is not of whole hours or longer than a week (169 hours where the clocks change), nothing is sold, each
    currency has a total of its own, or an hour has fewer than FEWEST_WEEKS earlier weeks without an incident.

    Raises:
        StoreError: Redis is unavailable, or its keys are not Headrace's.
    """
    if sales is None or first is None or start % _HOUR or end % _HOUR or not 0 < end - start <= _WEEK + _HOUR:
        return None
    if contracts[sales].by_currency and not contracts[sales].currency:
        return None
    oldest = start - MOST_WEEKS * _WEEK
    hours = range(start, end, _HOUR)
    past = [at for back in range(1, MOST_WEEKS + 1) for hour in hours if (at := zone.earlier(hour, 7 * back)) >= max(0, first)]
    if len(past) < FEWEST_WEEKS * len(hours):
        return None
    incidents = read_real(queries, oldest, end)
    return usual_of(
        contracts[sales], sales, (start, end), first, queries.sales_by_hour(sales, [*hours, *past]), incidents, zone
    )


def read_real(queries: Queries, since: int, until: int) -> list[Incident]:
    """Read the ``real`` incidents from ``since`` up to ``until`` (s), in one round trip, and another one if there are any."""
    found = queries.incidents(since=since, until=until, limit=1_000)
    return real(found, queries.acts()) if found else []


def real(incidents: Iterable[Incident], acts: Sequence[Act]) -> list[Incident]:
    """Return the incidents that people did not call false alarms: the hours of a false alarm were as usual. Pure."""
    found: list[Incident] = []
    for cause in causes(list(incidents)):
        if life_of_cause([one.id for one in cause.all], acts).state != "false_alarm":
            found += cause.all
    return found


def usual_of(
    contract: ContractSummary,
    sales: str,
    period: tuple[int, int],
    first: int,
    sold: Mapping[int, HourlySales],
    incidents: Iterable[Incident],
    zone: Zone = UTC,
) -> Usual | None:
    """Compute what is usual for a period from the hours of earlier weeks; an hour without records is 0. Pure."""
    start, end = period
    disturbed = [one for one in incidents if one.entity == sales and not one.metric.startswith(_UNRELATED)]
    revenue = orders = 0.0
    fewest = MOST_WEEKS
    nothing = HourlySales()

    def number(one: HourlySales) -> int:
        return one.sold if contract.selects_sales else one.clean

    for hour in range(start, end, _HOUR):
        calm = [
            sold.get(at, nothing)
            for back in range(1, MOST_WEEKS + 1)
            if (at := zone.earlier(hour, 7 * back)) >= first
            and not any(one.start < at + _HOUR and one.end > at for one in disturbed)
        ]
        fewest = min(fewest, len(calm))
        if fewest < FEWEST_WEEKS:
            return None
        revenue += sum(one.revenue_minor for one in calm) / len(calm)
        orders += sum(map(number, calm)) / len(calm)
    now = [sold.get(hour, nothing) for hour in range(start, end, _HOUR)]
    counted = not contract.order or contract.order_unique
    return Usual(
        start=start,
        end=end,
        revenue_minor=revenue,
        orders=orders if counted else None,
        weeks=fewest,
        observed_minor=sum(one.revenue_minor for one in now),
        observed_orders=sum(map(number, now)) if counted else None,
        currency=contract.currency,
    )


def usual_of_range(queries: Queries, read: RangeCounts) -> Usual | None:
    """Read what is usual for the complete hours of a range; None also for a range without a comparison."""
    stream = read.stream
    if read.span is None or stream.stream_ms is None or read.all_time:
        return None
    end = min(read.span.end, Grain.HOUR.start(stream.stream_ms / 1000))
    return read_usual(queries, stream.contracts, stream.sales, read.first, read.span.start, end, read.span.zone)
