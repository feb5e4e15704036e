"""Counts of a range broken down, the same on pages and in reports: by rule, segment value, repair, empty and unknown field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stream_app.contract.money import in_units
from stream_app.contract.summary import ContractSummary
from stream_app.counts.fields import Counts
from stream_app.counts.summary import at_risk, is_finding


@dataclass(frozen=True, slots=True)
class RuleCount:
    """Findings of one rule in a range.

    Attributes:
        previous: findings in the previous range, cut as ``compared``; None if the stream does not cover it.
        compared: findings in the part of the range that is over, which alone is compared; None as ``previous``.
        share: findings ÷ records received of its entity; ``previous_share`` the same in the previous range.
        at_risk_minor: minor units; None if the rule's findings do not tell what a record is worth.
        is_finding: it finds errors or warnings; those of an ``info`` rule are only counted.
    """

    entity: str
    rule: str
    severity: str
    dimension: str
    message: str
    impact: str | None
    count: int
    previous: int | None
    share: float
    at_risk_minor: int | None
    previous_share: float | None = None
    currency: str | None = None
    is_finding: bool = True
    compared: int | None = None

    @property
    def change(self) -> int | None:
        """Findings more than before, without the part that is not over."""
        return None if self.compared is None or self.previous is None else self.compared - self.previous

    @property
    def at_risk(self) -> float | None:
        """Value at risk in units of currency."""
        return None if self.at_risk_minor is None else in_units(self.at_risk_minor, self.currency)


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """One value of a segment field. ``findings``: rule → findings; ``revenue`` in units of currency, None without one."""

    entity: str
    field: str
    value: str
    received: int
    rejected: int
    revenue: float | None
    findings: Mapping[str, int]

    def counted(self, rule: str | None) -> int:
        """Rejected records, or findings of ``rule``."""
        return self.rejected if rule is None else self.findings.get(rule, 0)

    def share_of(self, rule: str | None) -> float:
        """Rejected records, or findings of ``rule``, ÷ received records; 0 if none was received."""
        return self.counted(rule) / self.received if self.received else 0.0


@dataclass(frozen=True, slots=True)
class Repair:
    """Repairs of one cleaning step. ``share``: repairs ÷ received records."""

    entity: str
    field: str
    step: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class NullField:
    """An optional field that was null or absent. ``share``: of judged records; ``before``: in the previous range."""

    entity: str
    field: str
    count: int
    share: float
    before: float | None


@dataclass(frozen=True, slots=True)
class UnknownField:
    """A field that is not in the contract. ``change``: records more than before, as ``RuleCount.change``."""

    entity: str
    name: str
    count: int
    change: int | None


def by_rule(
    contracts: Mapping[str, ContractSummary],
    counts: Mapping[str, Counts],
    before: Mapping[str, Counts] | None,
    compared: Mapping[str, Counts] | None = None,
) -> tuple[RuleCount, ...]:
    """Return every rule with findings in the range, most findings first; ``info`` rules after the others.

    ``compared``: counts of the part of the range that is compared with ``before``; default: all of it.
    """
    rows = []
    for entity, now in counts.items():
        contract = contracts[entity]
        then = None if before is None else before[entity]
        for rule_id, found in now.findings.items():
            rule = contract.rules.get(rule_id)
            previous = None if then is None else then.findings.get(rule_id, 0)
            rows.append(
                RuleCount(
                    entity=entity,
                    rule=rule_id,
                    severity=rule.severity if rule else "",
                    dimension=rule.dimension if rule else "",
                    message=rule.message if rule else "The contract in force does not contain this rule.",
                    impact=rule.impact if rule else None,
                    count=found,
                    previous=previous,
                    share=found / now.records if now.records else 0.0,
                    at_risk_minor=at_risk(contract, rule_id, now.at_risk_minor),
                    previous_share=previous / then.records
                    if then is not None and previous is not None and then.records
                    else None,
                    currency=contract.currency,
                    is_finding=is_finding(contract, rule_id),
                    compared=None if then is None else (compared or counts)[entity].findings.get(rule_id, 0),
                )
            )
    return tuple(sorted(rows, key=lambda row: (not row.is_finding, -row.count, row.entity, row.rule)))


def by_segment(contracts: Mapping[str, ContractSummary], counts: Mapping[str, Counts]) -> tuple[SegmentRow, ...]:
    """Return every segment value, those with most records first within a field."""
    rows = [
        SegmentRow(
            entity=entity,
            field=name,
            value=value,
            received=segment.received,
            rejected=segment.rejected,
            revenue=in_units(segment.revenue_minor, currency)
            if (currency := contracts[entity].currency) or not contracts[entity].by_currency
            else None,
            findings=segment.findings,
        )
        for entity, one in counts.items()
        for name, values in one.segments.items()
        for value, segment in values.items()
    ]
    return tuple(sorted(rows, key=lambda row: (row.entity, row.field, -row.received, row.value)))


def by_repair(counts: Mapping[str, Counts]) -> tuple[Repair, ...]:
    """Return every cleaning step that repaired something, most repairs first."""
    rows = []
    for entity, one in counts.items():
        for name, number in one.repairs.items():
            field, _, step = name.rpartition(".")
            rows.append(Repair(entity, field, step, number, number / one.records if one.records else 0.0))
    return tuple(sorted(rows, key=lambda row: (-row.count, row.entity, row.field, row.step)))


def null_fields(counts: Mapping[str, Counts], before: Mapping[str, Counts] | None) -> tuple[NullField, ...]:
    """Return the optional fields that were empty in the range or the previous one, largest share first."""
    rows = []
    for entity, one in counts.items():
        then = before[entity] if before is not None else None
        judged, judged_before = _judged(one), _judged(then) if then else 0
        for name in sorted({*one.nulls, *(then.nulls if then else ())}):
            share_before = then.nulls.get(name, 0) / judged_before if then and judged_before else None
            share = one.nulls.get(name, 0) / judged if judged else 0.0
            rows.append(NullField(entity, name, one.nulls.get(name, 0), share, share_before))
    return tuple(sorted(rows, key=lambda row: (-row.share, row.entity, row.field)))


def unknown_fields(
    counts: Mapping[str, Counts], before: Mapping[str, Counts] | None, compared: Mapping[str, Counts] | None
) -> tuple[UnknownField, ...]:
    """Return the fields that are not in the contract, most records first; ``compared`` as in ``by_rule``."""

    def change(entity: str, name: str) -> int | None:
        if before is None or compared is None:
            return None
        return compared[entity].unknown.get(name, 0) - before[entity].unknown.get(name, 0)

    rows = [
        UnknownField(entity, name, number, change(entity, name))
        for entity, one in counts.items()
        for name, number in one.unknown.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.count, row.entity, row.name)))


def _judged(counts: Counts) -> int:
    return counts.clean + counts.rejected
