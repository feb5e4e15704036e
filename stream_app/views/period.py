"""Comparisons of a report's period with the previous one: concentrated problems, rising repairs and missing values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from stream_app.contract.summary import ContractSummary
from stream_app.counts.fields import Counts
from stream_app.store.period import PeriodCounts
from stream_app.views.breakdown import NullField, null_fields

#: Minimum findings of a concentration, and minimum records of its segment and of all others.
FEWEST_FINDINGS, FEWEST_RECORDS = 5, 20
#: Minimum factor over the share elsewhere, and maximum probability of such a difference by chance in any of the comparisons.
TIMES, CHANCE = 2.0, 0.01
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
        records, records_elsewhere, findings_elsewhere: the counts on both sides.
        chance: probability of such a difference by chance in any of the segments and rules that were compared.
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
    records: int = 0
    records_elsewhere: int = 0
    findings_elsewhere: int = 0
    chance: float = 1.0

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
    compared = [
        found
        for entity, period in periods.items()
        for field in contracts[entity].segments
        for found in _of_field(entity, contracts[entity], field, period.counts)
    ]
    for found in compared:
        # Bonferroni's correction: the more is compared, the likelier one of them stands out by chance.
        corrected = replace(found, chance=min(1.0, found.chance * len(compared)))
        if corrected.chance > CHANCE:
            continue
        key = (found.entity, found.rule)
        if key not in best or found.excess > best[key].excess:
            best[key] = corrected
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
            if not total or received < FEWEST_RECORDS or records - received < FEWEST_RECORDS:
                continue
            share, elsewhere = min(1.0, findings / received), min(1.0, (total - findings) / (records - received))
            expected = elsewhere * received
            # A difference that is too small to matter counts as a comparison, too.
            matters = findings >= FEWEST_FINDINGS and share >= TIMES * elsewhere
            sides = (min(findings, received), received, min(total - findings, records - received), records - received)
            found.append(
                Concentration(
                    entity, rule_id, field, value, findings, share, elsewhere, findings / total, findings - expected,
                    received, records - received, total - findings, chance_of_more(*sides) if matters else 1.0,
                )
            )  # fmt: skip
    return found


def chance_of_more(findings: int, records: int, findings_elsewhere: int, records_elsewhere: int) -> float:
    """Return the probability of at least these findings in these records by chance (Fisher's exact test, one-sided)."""
    total, all_records = findings + findings_elsewhere, records + records_elsewhere
    if not findings:
        return 1.0

    def log_choose(of: int, take: int) -> float:
        return math.lgamma(of + 1) - math.lgamma(take + 1) - math.lgamma(of - take + 1)

    whole = log_choose(all_records, total)
    if findings <= total * records / all_records:
        return 1.0
    chance = 0.0
    for here in range(max(findings, total - records_elsewhere), min(records, total) + 1):
        term = math.exp(log_choose(records, here) + log_choose(records_elsewhere, total - here) - whole)
        chance += term
        # Above the expected number the terms decrease ever faster.
        if term <= chance * 1e-12:
            break
    return min(1.0, chance)


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
