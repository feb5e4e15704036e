"""Figures that people read, computed from totals: conformity, quality by dimension, value at risk, the shop's key numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stream_app.contract.model import Dimension
from stream_app.contract.money import each_in_units, in_units
from stream_app.contract.summary import ContractSummary
from stream_app.counts.fields import Counts

#: Weights of the dimensions in a quality score. All equal: a shop that wants another weighting splits its rules.
WEIGHTS: Mapping[str, float] = {dimension.value: 1.0 for dimension in Dimension}


@dataclass(frozen=True, slots=True)
class EntityTotals:
    """All-time counts of one entity. Always ``received = clean + rejected + pending + deleted``.

    ``revenue_minor``: net revenue of clean records in minor units; ``revenue_by``: the same by currency, of a contract that
    names a field for it. ``active_customers`` and ``orders``: distinct values among clean records. ``known``: distinct clean
    records that others may refer to. ``unreadable``: records in batches that could not be read, each batch counted as one
    rejected record. ``late``: records that came after their window was final. ``cancelled``: clean records that cancel an
    order; they are not among the orders.
    """

    received: int = 0
    clean: int = 0
    rejected: int = 0
    pending: int = 0
    deleted: int = 0
    unreadable: int = 0
    repaired: int = 0
    findings: Mapping[str, int] = field(default_factory=dict)
    revenue_minor: int = 0
    active_customers: int = 0
    orders: int = 0
    known: int = 0
    late: int = 0
    revenue_by: Mapping[str, int] = field(default_factory=dict)
    cancelled: int = 0

    @property
    def records(self) -> int:
        """Received records without the tombstones: what quality and shares are measured by."""
        return self.received - self.deleted

    @classmethod
    def of(cls, counts: Counts, *, active_customers: int, orders: int, known: int) -> EntityTotals:
        """Combine what was counted with the distinct values, which counts do not hold."""
        return cls(
            received=counts.received,
            clean=counts.clean,
            rejected=counts.rejected,
            pending=counts.pending,
            deleted=counts.deleted,
            unreadable=counts.unreadable,
            repaired=counts.repaired,
            findings=counts.findings,
            revenue_minor=counts.revenue_minor,
            active_customers=active_customers,
            orders=orders,
            known=known,
            late=counts.late,
            revenue_by=counts.revenue_by,
            cancelled=counts.cancelled,
        )


@dataclass(frozen=True, slots=True)
class Quality:
    """Shares between 0 and 1; None if nothing was judged. ``dimensions`` holds those that have rules."""

    score: float | None
    dimensions: Mapping[str, float | None]


def conformity(clean: int, rejected: int) -> float | None:
    """Return the share of judged records that are clean; None if none was judged."""
    judged = clean + rejected
    return clean / judged if judged else None


def quality(contract: ContractSummary, records: int, findings: Mapping[str, int]) -> Quality:
    """Return per dimension 1 − findings ÷ (records × rules), and their weighted mean as the score. Tombstones do not count.

    Only rules of severity ``error`` or ``warning`` count, and only findings of rules that the contract still has.
    """
    rules: dict[str, int] = {}
    found: dict[str, int] = {}
    for rule_id, rule in contract.rules.items():
        if rule.counts:
            rules[rule.dimension] = rules.get(rule.dimension, 0) + 1
            found[rule.dimension] = found.get(rule.dimension, 0) + findings.get(rule_id, 0)
    if not records or not rules:
        return Quality(None, dict.fromkeys(sorted(rules)))
    # A rule may find twice in one record, for example in two items of a list; a share is never below 0.
    shares = {name: min(1.0, max(0.0, 1 - found[name] / (records * rules[name]))) for name in sorted(rules)}
    weight = sum(WEIGHTS.get(name, 1.0) for name in shares)
    return Quality(sum(WEIGHTS.get(name, 1.0) * share for name, share in shares.items()) / weight, shares)


def is_finding(contract: ContractSummary, rule_id: str) -> bool:
    """Return True if what a rule finds rejects or marks a record: an ``info`` rule only counts.

    A rule that the contract does not have any more did so when it counted.
    """
    rule = contract.rules.get(rule_id)
    return rule is None or rule.counts


def overall_quality(parts: Iterable[tuple[int, Quality]]) -> Quality:
    """Combine the quality of several entities: means weighted by the records of each, per dimension and for the score."""
    scores: list[tuple[int, float]] = []
    dimensions: dict[str, list[tuple[int, float]]] = {}
    names: set[str] = set()
    for received, part in parts:
        names.update(part.dimensions)
        if part.score is not None:
            scores.append((received, part.score))
        for name, share in part.dimensions.items():
            if share is not None:
                dimensions.setdefault(name, []).append((received, share))
    return Quality(_mean(scores), {name: _mean(dimensions.get(name, [])) for name in sorted(names)})


def _mean(weighted: list[tuple[int, float]]) -> float | None:
    weight = sum(each for each, _ in weighted)
    return sum(each * value for each, value in weighted) / weight if weight else None


def sales_entity(contracts: Mapping[str, ContractSummary]) -> str | None:
    """Return the entity that the shop's sales are counted from: the first with a customer and revenue, else with revenue."""
    with_revenue = [entity for entity, contract in contracts.items() if contract.revenue]
    with_customer = [entity for entity in with_revenue if contracts[entity].customer]
    return next(iter(with_customer or with_revenue), None)


def summarise(contracts: Mapping[str, ContractSummary], totals: Mapping[str, EntityTotals]) -> dict[str, Any]:
    """Return the parts ``entities`` and ``kpis`` of ``headrace status --json``; an entity without totals has zeros."""
    entities: dict[str, Any] = {}
    parts: list[tuple[int, Quality]] = []
    for entity, contract in contracts.items():
        total = totals.get(entity, EntityTotals())
        measured = quality(contract, total.records, total.findings)
        parts.append((total.records, measured))
        entities[entity] = {
            "in": total.received,
            "clean": total.clean,
            "rejected": total.rejected,
            "pending": total.pending,
            "deleted": total.deleted,
            "unreadable": total.unreadable,
            "repaired": total.repaired,
            "late": total.late,
            "findings": {rule: count for rule, count in sorted(total.findings.items()) if count > 0},
            "conformity": conformity(total.clean, total.rejected),
            "quality": {"score": measured.score, "dimensions": dict(measured.dimensions)},
        }
    return {"entities": entities, "kpis": _kpis(contracts, totals, overall_quality(parts).score)}


def _kpis(contracts: Mapping[str, ContractSummary], totals: Mapping[str, EntityTotals], score: float | None) -> dict[str, Any]:
    sales = sales_entity(contracts)
    contract = contracts[sales] if sales else None
    total = totals.get(sales, EntityTotals()) if sales else EntityTotals()
    customers = totals.get(contract.customer_entity) if contract and contract.customer_entity else None
    judged = [totals[entity] for entity in contracts if entity in totals]
    visits = visits_entity(contracts)
    return {
        "active_customers": total.active_customers,
        "orders": total.orders,
        "cancelled": total.cancelled,
        "revenue": None
        if contract and contract.by_currency and not contract.currency
        else in_units(total.revenue_minor, contract.currency if contract else None),
        "currency": contract.currency if contract else None,
        "revenue_by_currency": each_in_units(total.revenue_by),
        "rates": dict(contract.rates) if contract else {},
        "active_share": active_share(total.active_customers, customers.known if customers else 0),
        "visits": totals.get(visits, EntityTotals()).clean if visits else None,
        "conversion_rate": conversion_rate(total.orders, totals.get(visits, EntityTotals()).clean if sales and visits else 0),
        "quality_score": score,
        "conformity": conformity(sum(one.clean for one in judged), sum(one.rejected for one in judged)),
    }


def visits_entity(contracts: Mapping[str, ContractSummary]) -> str | None:
    """Return the entity whose clean records are visits to the shop; None if no contract names one."""
    return next((entity for entity, contract in contracts.items() if contract.visits), None)


def conversion_rate(orders: int, visits: int) -> float | None:
    """Return orders ÷ visits; None without visits. Above 1 if orders come that nobody visited for."""
    return orders / visits if visits > 0 else None


def active_share(active: int, known: int) -> float | None:
    """Return active ÷ known customers; None if no customer is known. At most 1: ``active`` may be an estimate."""
    return min(1.0, active / known) if known else None


def at_risk(contract: ContractSummary, rule_id: str, at_risk_minor: Mapping[str, int]) -> int | None:
    """Return the minor units at risk in the findings of a rule; None if the rule does not tell what a record is worth."""
    rule = contract.rules.get(rule_id)
    summed = contract.currency is not None or not contract.by_currency
    return at_risk_minor.get(rule_id, 0) if rule is not None and rule.worth and summed else None
