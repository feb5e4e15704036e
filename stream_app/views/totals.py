"""Totals of counts, the same on pages and in reports: records, conformity, quality, findings, value at risk, orders."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from stream_app.contract.summary import ContractSummary
from stream_app.counts.fields import Counts, add
from stream_app.counts.kept import Kept
from stream_app.counts.summary import Quality, conformity, is_finding, overall_quality, quality

#: Standard deviation of a record's worth ÷ its average: of 167,790 lines of a real shop, without the largest thousandth.
SPREAD = 2.0
#: Qualities that are kept, each with its parts and dimensions: about 20 of these.
_QUALITIES: Kept[Quality] = Kept(50_000)


@dataclass(frozen=True, slots=True)
class Totals:
    """All given entities together.

    Attributes:
        findings: errors and warnings: all but what ``info`` rules count.
        at_risk_minor: worth of the records with findings in minor units, each record once; None if no entity has prices, or
            each currency has a total of its own.
        at_risk_by: the same by currency, of entities that name a field for it.
        unvalued: records with findings whose quantity or price is in doubt: each is worth what a clean record of its entity is
            on average, without those in doubt, or nothing where there is none or each currency has a total of its own.
        usual_minor: the part of ``at_risk_minor`` that comes from these.
        late: records that came after their window was final.
        at_risk_error: of ``at_risk_minor``, within which it is in 997 of 1,000 cases: 0 unless records count at an average.
    """

    received: int
    clean: int
    rejected: int
    findings: int
    at_risk_minor: int | None
    unvalued: int
    usual_minor: int
    quality: Quality
    late: int = 0
    at_risk_by: Mapping[str, int] = field(default_factory=dict)
    at_risk_error: float = 0.0

    @property
    def judged(self) -> int:
        """Records with a verdict."""
        return self.clean + self.rejected

    @property
    def conformity(self) -> float | None:
        """Share of judged records that are clean; None if none was judged."""
        return conformity(self.clean, self.rejected)


def at_risk_changed(now: Totals, before: Totals) -> bool:
    """True if the value at risk has changed by more than the errors of both."""
    change = abs((now.at_risk_minor or 0) - (before.at_risk_minor or 0))
    error = math.hypot(now.at_risk_error, before.at_risk_error)
    return change > error or not error


def late_records(counts: Mapping[str, Counts]) -> int:
    """Return the records that came after their window was final; its figures were restated by them."""
    return sum(one.late for one in counts.values())


def totals_of(contracts: Mapping[str, ContractSummary], counts: Mapping[str, Counts]) -> Totals:
    """Total the counts of the entities in ``counts``; each must have a contract."""
    priced = {entity: one for entity, one in counts.items() if contracts[entity].revenue}
    summed = [one for entity, one in priced.items() if contracts[entity].currency or not contracts[entity].by_currency]
    usual_minor = sum(_usual_worth(one) for one in summed)
    return Totals(
        received=sum(one.received for one in counts.values()),
        clean=sum(one.clean for one in counts.values()),
        rejected=sum(one.rejected for one in counts.values()),
        findings=sum(
            found
            for entity, one in counts.items()
            for rule, found in one.findings.items()
            if is_finding(contracts[entity], rule)
        ),
        at_risk_minor=sum(one.risk_minor for one in summed) + usual_minor if summed else None,
        unvalued=sum(one.unvalued for one in priced.values()),
        usual_minor=usual_minor,
        quality=quality_of(contracts, counts),
        late=late_records(counts),
        at_risk_by=add(priced.values(), segments=False).risk_by,
        at_risk_error=math.hypot(*map(_usual_error, summed)),
    )


def _usual_worth(counts: Counts) -> int:
    """Return the worth (minor units) of the records in doubt, at the average of the clean records that are not in doubt.

    Of all clean records, not of sales only: the doubtful ones are of any state of an order.
    """
    trusted, revenue = counts.clean - counts.doubted, counts.revenue_minor - counts.doubted_minor
    return round(counts.unvalued * max(revenue, 0) / trusted) if trusted > 0 else 0


def _usual_error(counts: Counts) -> float:
    """Return the error of ``_usual_worth``: that of the sum of as many records with the spread of sales.

    Only their average is kept of clean records, so the spread is a convention (``SPREAD``).
    """
    return 3 * SPREAD * _usual_worth(counts) / math.sqrt(counts.unvalued) if counts.unvalued > 0 else 0.0


def quality_of(contracts: Mapping[str, ContractSummary], counts: Mapping[str, Counts]) -> Quality:
    """Return the quality over the entities in ``counts``, weighted by their judged records and the contracts."""
    pairs = [(contracts[entity], one) for entity, one in counts.items()]
    of = tuple(part for pair in pairs for part in pair)
    return _QUALITIES.or_compute(of, lambda: _quality_of(pairs), lambda found: len(of) + len(found.dimensions))


def _quality_of(pairs: Iterable[tuple[ContractSummary, Counts]]) -> Quality:
    return overall_quality((contract.weight * (one.clean + one.rejected), quality(contract, one)) for contract, one in pairs)


def average_order(revenue_minor: int, orders: int) -> int | None:
    """Return the average value of an order in minor units; None without orders."""
    return round(revenue_minor / orders) if orders else None
