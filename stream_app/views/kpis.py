"""Key numbers: a value over the range, the previous range and a sparkline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import get_args

from stream_app.contract.money import each_in_units
from stream_app.counts.estimates import beyond_error
from stream_app.counts.fields import Counts, Distinct
from stream_app.counts.summary import EntityTotals, Quality, conversion_rate, visits_entity
from stream_app.views.figures import Figures
from stream_app.views.ranges import SPARK_POINTS, groups
from stream_app.views.totals import quality_of


@dataclass(frozen=True, slots=True)
class Kpi:
    """A number over a range.

    Attributes:
        value: None if nothing was measured.
        compared: the number over the part of the range that is complete; None where there is nothing to compare with.
        previous: the number over as long a part of the previous range; None also if the stream does not cover it.
        series: the number in equal parts of the range, oldest first, without the unfinished last one.
        estimated: ``value`` is an estimate, to about ``counts.estimates.ERROR``.
        unclear: ``compared`` and ``previous`` differ by less than the errors of their estimates: no change is known.
    """

    value: float | None
    compared: float | None = None
    previous: float | None = None
    series: tuple[float | None, ...] = ()
    estimated: bool = False
    unclear: bool = False

    @property
    def change(self) -> float | None:
        """Relative change, 0.1 for +10 %; None if there is nothing to compare with, or the change is unclear."""
        if self.compared is None or not self.previous or self.unclear:
            return None
        return (self.compared - self.previous) / abs(self.previous)

    @property
    def difference(self) -> float | None:
        """``compared`` − ``previous``, the change of a share."""
        return None if self.compared is None or self.previous is None or self.unclear else self.compared - self.previous


@dataclass(frozen=True, slots=True)
class Kpis:
    """The shop's key numbers; revenue in units of ``currency``, rates and scores between 0 and 1.

    Attributes:
        revenue: has no value if each currency has a total of its own.
        revenue_by: currency → revenue in units of it, of a contract that names a field for the currency.
        conversion_rate: orders ÷ visits; no value if no contract names visits, or there were none.
        visits: clean records of the entity of visits; None if no contract names one.
        cancelled: clean records that cancel an order, which are not among the orders; None if the contract names none.
        rates: currency → what one unit of it is worth in ``currency``, where ``revenue`` is converted.
    """

    active_customers: Kpi
    orders: Kpi
    revenue: Kpi
    conversion_rate: Kpi
    valid_records: Kpi
    currency: str | None
    revenue_by: Mapping[str, Kpi] = field(default_factory=dict)
    rates: Mapping[str, float] = field(default_factory=dict)
    cancelled: int | None = None
    visits: int | None = None


@dataclass(frozen=True, slots=True)
class _Numbers:
    """The key numbers of one period."""

    active: int
    orders: int
    revenue: float | None
    conversion: float | None
    valid: float | None
    revenue_by: Mapping[str, float]
    estimated: frozenset[Distinct] = frozenset()


def kpis_of(figures: Figures, measured: Quality) -> Kpis:
    """Compute the key numbers of a range; ``measured`` is its quality. Pure."""
    read, now, compared, before = figures.read, _of_range(figures, measured), None, None
    if (cuts := read.comparison) is not None and figures.compared is not None and figures.before is not None:
        compared = _of_period(figures, figures.compared, *cuts[0])
        before = _of_period(figures, figures.before, *cuts[1])
    series = [_of_period(figures, figures.between(*part), *part) for part in _parts(figures)]

    def kpi(number: Callable[[_Numbers], float | None], of: Distinct | None = None) -> Kpi:
        now_like, then, unclear = None, None, False
        if compared is not None and before is not None:
            now_like, then = number(compared), number(before)
            if now_like is not None and then is not None:
                unclear = not beyond_error(now_like, then, (of in compared.estimated, of in before.estimated))
        return Kpi(number(now), now_like, then, tuple(number(one) for one in series), of in now.estimated, unclear)

    # Without a sales entity there is no previous number of sales either.
    def sales(number: Callable[[_Numbers], float | None], of: Distinct | None = None) -> Kpi:
        found = kpi(number, of)
        return found if figures.sales else Kpi(found.value, series=found.series, estimated=found.estimated)

    return Kpis(
        active_customers=sales(lambda one: one.active, "customers"),
        orders=sales(lambda one: one.orders, "orders"),
        revenue=sales(lambda one: one.revenue),
        conversion_rate=sales(lambda one: one.conversion, "orders"),
        valid_records=kpi(lambda one: one.valid),
        currency=read.stream.currency,
        revenue_by={currency: sales(_in(currency)) for currency in sorted(now.revenue_by)},
        rates=figures.contracts[figures.sales].rates if figures.sales else {},
        visits=None if (visits := visits_entity(figures.contracts)) is None else figures.counts[visits].clean,
        cancelled=figures.counts[figures.sales].cancelled
        if figures.sales and figures.contracts[figures.sales].selects_sales
        else None,
    )


def _in(currency: str) -> Callable[[_Numbers], float]:
    return lambda one: one.revenue_by.get(currency, 0.0)


def _of_range(figures: Figures, measured: Quality) -> _Numbers:
    read = figures.read
    counts = figures.counts[figures.sales] if figures.sales else Counts()
    if read.all_time or read.span is None:
        total = read.stream.totals[figures.sales] if figures.sales else EntityTotals()
        active, orders, estimated = total.active_customers, total.orders, total.estimated
    else:
        active = figures.cardinality("customers", read.span.start, read.span.end).number
        orders = figures.orders(counts, read.span.start, read.span.end)
        estimated = _estimated(figures, read.span.start, read.span.end)
    return _Numbers(
        active,
        orders,
        figures.revenue(counts),
        _conversion(figures, figures.counts, orders),
        measured.valid,
        each_in_units(counts.revenue_by),
        estimated,
    )


def _of_period(figures: Figures, counts: Mapping[str, Counts], start: int, end: int) -> _Numbers:
    sold = counts[figures.sales] if figures.sales else Counts()
    active = figures.cardinality("customers", start, end).number
    orders = figures.orders(sold, start, end)
    return _Numbers(
        active,
        orders,
        figures.revenue(sold),
        _conversion(figures, counts, orders),
        quality_of(figures.contracts, counts).valid,
        each_in_units(sold.revenue_by),
        _estimated(figures, start, end),
    )


def _estimated(figures: Figures, start: int, end: int) -> frozenset[Distinct]:
    counted_kinds: tuple[Distinct, ...] = get_args(Distinct)
    return frozenset(what for what in counted_kinds if figures.cardinality(what, start, end).estimated)


def _conversion(figures: Figures, counts: Mapping[str, Counts], orders: int) -> float | None:
    visits = visits_entity(figures.contracts)
    return None if visits is None or figures.sales is None else conversion_rate(orders, counts[visits].clean)


def _parts(figures: Figures) -> list[tuple[int, int]]:
    """Return equal parts of the range that are finished: an unfinished part would make every sparkline end in a fall.

    Parts before the start of the stream are left out: there was nothing to measure.
    """
    first, stream_ms = figures.read.first, figures.read.stream.stream_ms
    parts = groups(figures.span, SPARK_POINTS) if figures.span else ()
    return [
        (start, end)
        for start, end in parts
        if (first is None or end > first) and (stream_ms is None or end * 1000 <= stream_ms)
    ]
