"""Figures that counts do not hold by themselves: where a problem concentrates, what is repaired ever more often."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from stream_app.contract.summary import ContractSummary
from stream_app.counts.fields import Counts
from stream_app.counts.summary import conformity, overall_quality, quality, value_at_risk
from stream_app.store.period import PeriodCounts

#: A concentration has at least so many findings, among at least so many records of the segment.
FEWEST_FINDINGS, FEWEST_RECORDS = 5, 20
#: And is at least so many times as frequent as elsewhere, and so many standard deviations (Poisson) above it.
TIMES, DEVIATIONS = 2.0, 3.0
#: Repairs are on the rise from so many on, and by this factor.
FEWEST_REPAIRS, RISE = 5, 1.5


@dataclass(frozen=True, slots=True)
class Concentration:
    """A rule that finds more in one segment than elsewhere; ``there`` and ``elsewhere`` are shares of records."""

    entity: str
    rule: str
    field: str
    value: str
    findings: int
    there: float
    elsewhere: float
    part: float
    excess: float

    @property
    def ratio(self) -> float | None:
        """``there`` ÷ ``elsewhere``; None where it found nothing elsewhere."""
        return self.there / self.elsewhere if self.elsewhere else None


def concentrations(contracts: Mapping[str, ContractSummary], periods: Mapping[str, PeriodCounts]) -> list[Concentration]:
    """The clearest segment of each rule that has one, largest excess first.

    A rule about the segment field itself is left out: that wrong countries are in wrong countries says nothing. So is one
    about the record as a whole: what cannot be read has no segment.
    """
    best: dict[tuple[str, str], Concentration] = {}
    for entity, period in periods.items():
        contract = contracts[entity]
        for field in contract.segments:
            for found in _of_field(entity, contract, field, period.counts):
                key = (entity, found.rule)
                if key not in best or found.excess > best[key].excess:
                    best[key] = found
    return sorted(best.values(), key=lambda one: (-one.excess, one.entity, one.rule))


def _of_field(entity: str, contract: ContractSummary, field: str, counts: Counts) -> list[Concentration]:
    values = counts.segments.get(field, {})
    records = sum(counted.received for counted in values.values())
    # A segment may be a field of a referenced record: `customer_id.country`.
    about = {f"$.{field}", f"$.{field.partition('.')[0]}"}
    found = []
    for rule_id, rule in contract.rules.items():
        if not rule.counts or rule.path in about or rule.kind == "record":
            continue
        total = sum(counted.findings.get(rule_id, 0) for counted in values.values())
        for value, counted in values.items():
            here, among = counted.findings.get(rule_id, 0), counted.received
            if here < FEWEST_FINDINGS or among < FEWEST_RECORDS or records - among < FEWEST_RECORDS:
                continue
            there, elsewhere = min(1.0, here / among), min(1.0, (total - here) / (records - among))
            expected = elsewhere * among
            if there >= TIMES * elsewhere and here - expected >= DEVIATIONS * math.sqrt(expected + 1):
                found.append(
                    Concentration(entity, rule_id, field, value, here, there, elsewhere, here / total, here - expected)
                )
    return found


def rising_repairs(now: Counts, before: Counts) -> list[tuple[str, int, int]]:
    """``field.step``, repairs now and before, of those that are on the rise; the steepest first."""
    rising = [
        (repair, count, before.repairs.get(repair, 0))
        for repair, count in now.repairs.items()
        if count >= FEWEST_REPAIRS and count >= RISE * before.repairs.get(repair, 0)
    ]
    return sorted(rising, key=lambda row: (row[2] - row[1], row[0]))


#: The period before is one to compare with from this share of the period's records on: a stream's first records, and
#: stray ones of long ago, are not.
COMPARABLE = 0.1


def is_comparable(counts: Mapping[str, PeriodCounts], before: Mapping[str, PeriodCounts]) -> bool:
    """Whether the period before holds enough to compare with."""
    now, then = (sum(one.counts.received for one in part.values()) for part in (counts, before))
    return then > 0 and then >= COMPARABLE * now


@dataclass(frozen=True, slots=True)
class Whole:
    """All entities together; shares between 0 and 1, money in minor units."""

    records: int
    rejected: int
    conformity: float | None
    score: float | None
    dimensions: Mapping[str, float | None]
    findings: int
    at_risk: int


def whole(contracts: Mapping[str, ContractSummary], periods: Mapping[str, PeriodCounts]) -> Whole:
    """The totals of a period. Findings are those of rules that lower the score; ``info`` rules only count."""
    counts = {entity: periods[entity].counts for entity in contracts if entity in periods}
    measured = overall_quality(
        (one.received, quality(contracts[entity], one.received, one.findings)) for entity, one in counts.items()
    )
    counting = {entity: {rule_id for rule_id, rule in contracts[entity].rules.items() if rule.counts} for entity in counts}
    return Whole(
        records=sum(one.received for one in counts.values()),
        rejected=sum(one.rejected for one in counts.values()),
        conformity=conformity(sum(one.clean for one in counts.values()), sum(one.rejected for one in counts.values())),
        score=measured.score,
        dimensions=measured.dimensions,
        findings=sum(n for entity, one in counts.items() for rule, n in one.findings.items() if rule in counting[entity]),
        at_risk=sum(value_at_risk(contracts[entity], one.at_risk_minor) for entity, one in counts.items()),
    )
