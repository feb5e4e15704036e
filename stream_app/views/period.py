"""Comparisons of a report's period with the previous one: concentrated problems, rising repairs and missing values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from stream_app.contract.summary import ContractSummary
from stream_app.counts.fields import Counts
from stream_app.store.period import PeriodCounts
from stream_app.views.breakdown import NullField, null_fields

#: Minimum findings of a concentration, and minimum records of its segment and of all others.
FEWEST_FINDINGS, FEWEST_RECORDS = 5, 20
#: Minimum factor over the share elsewhere, and minimum standard deviations (Poisson) above it.
TIMES, DEVIATIONS = 2.0, 3.0
#: Minimum number of repairs, or of records without a value, that counts as rising, and the minimum factor.
FEWEST_RISING, RISE = 5, 1.5
#: Minimum records of the previous period, as a share of the period's: with fewer it is the beginning of a stream, or stray
#: old records, and not comparable.
COMPARABLE = 0.1


@dataclass(frozen=True, slots=True)
class Concentration:
    """A rule that finds more in one segment than elsewhere.

    Attributes:
        share: findings ÷ records in the segment; ``share_elsewhere`` the same in all other segments.
        share_of_findings: part of the rule's findings that are in the segment.
        excess: findings beyond those expected from the share elsewhere.
    """

    entity: str
    rule: str
    field: str
    value: str
    findings: int
    share: float
    share_elsewhere: float
    share_of_findings: float
    excess: float

    @property
    def ratio(self) -> float | None:
        """``share`` ÷ ``share_elsewhere``; None if the rule found nothing elsewhere."""
        return self.share / self.share_elsewhere if self.share_elsewhere else None


def concentrations(contracts: Mapping[str, ContractSummary], periods: Mapping[str, PeriodCounts]) -> list[Concentration]:
    """Return the clearest segment of each rule that has one, largest excess first.

    Rules about the segment field itself are excluded, because wrong countries are always in wrong countries; so are rules
    about the whole record, because an unreadable record has no segment.
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
    records = sum(segment.received for segment in values.values())
    # A segment may be a field of a referenced record: `customer_id.country`.
    excluded = {f"$.{field}", f"$.{field.partition('.')[0]}"}
    found = []
    for rule_id, rule in contract.rules.items():
        if not rule.counts or rule.path in excluded or rule.kind == "record":
            continue
        total = sum(segment.findings.get(rule_id, 0) for segment in values.values())
        for value, segment in values.items():
            findings, received = segment.findings.get(rule_id, 0), segment.received
            if findings < FEWEST_FINDINGS or received < FEWEST_RECORDS or records - received < FEWEST_RECORDS:
                continue
            share, elsewhere = min(1.0, findings / received), min(1.0, (total - findings) / (records - received))
            expected = elsewhere * received
            if share >= TIMES * elsewhere and findings - expected >= DEVIATIONS * math.sqrt(max(0.0, expected) + 1):
                found.append(
                    Concentration(
                        entity, rule_id, field, value, findings, share, elsewhere, findings / total, findings - expected
                    )
                )
    return found


def rising_repairs(now: Counts, before: Counts) -> list[tuple[str, int, int]]:
    """Return ``field.step``, repairs and previous repairs of those that rise, largest increase first."""
    rising = [
        (repair, count, before.repairs.get(repair, 0))
        for repair, count in now.repairs.items()
        if count >= FEWEST_RISING and count >= RISE * before.repairs.get(repair, 0)
    ]
    return sorted(rising, key=lambda row: (row[2] - row[1], row[0]))


def rising_nulls(
    contracts: Mapping[str, ContractSummary], counts: Mapping[str, Counts], before: Mapping[str, Counts]
) -> list[NullField]:
    """Return the contracts' optional fields that are empty more often than before, largest increase first."""
    rising = [
        (row.before - row.share, row)
        for row in null_fields(counts, before)
        if row.before is not None
        and row.count >= FEWEST_RISING
        and row.share >= RISE * row.before
        and any(field.name == row.field for field in contracts[row.entity].fields)
    ]
    return [row for _, row in sorted(rising, key=lambda pair: (pair[0], pair[1].entity, pair[1].field))]


def is_comparable(counts: Mapping[str, PeriodCounts], before: Mapping[str, PeriodCounts]) -> bool:
    """True if the previous period has enough records to compare with."""
    now, then = (sum(one.counts.received for one in part.values()) for part in (counts, before))
    return then > 0 and then >= COMPARABLE * now
