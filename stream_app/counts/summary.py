"""Figures that people read, computed from totals: conformity, quality by dimension, value at risk, the shop's key numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from stream_app.contract.model import DEFAULT_TARGET
from stream_app.contract.money import each_in_units, in_units
from stream_app.contract.summary import ContractSummary
from stream_app.counts.fields import Counts, Distinct


@dataclass(frozen=True, slots=True)
class EntityTotals:
    """All-time counts of one entity. Always ``received = clean + rejected + pending + deleted``.

    ``revenue_minor``: net revenue of clean records in minor units; ``revenue_by``: the same by currency, of a contract that
    names a field for it. ``active_customers`` and ``orders``: distinct values among clean records. ``known``: distinct clean
    records that others may refer to. ``unreadable``: records in batches that could not be read, each batch counted as one
    rejected record. ``late``: records that came after their window was final. ``cancelled``: clean records that cancel an
    order; they are not among the orders. ``warned``: clean records with a warning; ``dimensions``: records with an error or a
    warning of the dimension. ``estimated``: distinct values that a sketch counts.
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
    warned: int = 0
    dimensions: Mapping[str, int] = field(default_factory=dict)
    estimated: frozenset[Distinct] = frozenset()
    revenue_by: Mapping[str, int] = field(default_factory=dict)
    cancelled: int = 0

    @property
    def records(self) -> int:
        """Received records without the tombstones: what quality and shares are measured by."""
        return self.received - self.deleted

    @classmethod
    def of(
        cls,
        counts: Counts,
        *,
        active_customers: int,
        orders: int,
        known: int,
        estimated: frozenset[Distinct] = frozenset(),
    ) -> EntityTotals:
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
            warned=counts.warned,
            dimensions=counts.dimensions,
            estimated=estimated,
            revenue_by=counts.revenue_by,
            cancelled=counts.cancelled,
        )


class Judged(Protocol):
    """Counts that quality is measured by; ``Counts`` and ``EntityTotals`` are such."""

    @property
    def clean(self) -> int:
        """Records without an error."""

    @property
    def rejected(self) -> int:
        """Records with an error."""

    @property
    def warned(self) -> int:
        """Clean records with a warning."""

    @property
    def dimensions(self) -> Mapping[str, int]:
        """Dimension → records with an error or a warning of it."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Shares of the judged records, between 0 and 1; None if none was judged.

    Attributes:
        valid: records without an error and without a warning.
        dimensions: dimension that has rules → records without an error or warning of this dimension.
        target: the least share of valid records that the contracts ask for.
    """

    valid: float | None
    dimensions: Mapping[str, float | None]
    target: float = DEFAULT_TARGET


def conformity(clean: int, rejected: int) -> float | None:
    """Return the share of judged records that are clean; None if none was judged."""
    judged = clean + rejected
    return clean / judged if judged else None


def quality(contract: ContractSummary, counts: Judged) -> Quality:
    """Return the quality of one entity. Rules of severity ``info`` do not count, and neither do tombstones."""
    judged = counts.clean + counts.rejected
    names = sorted({*(rule.dimension for rule in contract.rules.values() if rule.counts), *counts.dimensions})
    if not judged:
        return Quality(None, dict.fromkeys(names), contract.target)
    shares: dict[str, float | None] = {name: _share(judged - counts.dimensions.get(name, 0), judged) for name in names}
    return Quality(_share(counts.clean - counts.warned, judged), shares, contract.target)


def _share(part: int, whole: int) -> float:
    """Return part ÷ whole; from 0 to 1 also where a worker of an earlier version has counted."""
    return min(1.0, max(0.0, part / whole))


def is_finding(contract: ContractSummary, rule_id: str) -> bool:
    """Return True if findings of a rule are errors or warnings: an ``info`` rule only counts.

    A rule that the contract does not have any more found such when it counted.
    """
    rule = contract.rules.get(rule_id)
    return rule is None or rule.counts


def overall_quality(parts: Iterable[tuple[float, Quality]]) -> Quality:
    """Combine the quality of several entities: means, weighted by judged records × the weight in the contract."""
    valid: list[tuple[float, float]] = []
    targets: list[tuple[float, float]] = []
    dimensions: dict[str, list[tuple[float, float]]] = {}
    names: set[str] = set()
    for weight, part in parts:
        names.update(part.dimensions)
        if part.valid is not None:
            valid.append((weight, part.valid))
            targets.append((weight, part.target))
        for name, share in part.dimensions.items():
            if share is not None:
                dimensions.setdefault(name, []).append((weight, share))
    shares = {name: _mean(dimensions.get(name, [])) for name in sorted(names)}
    target = _mean(targets)
    return Quality(_mean(valid), shares, DEFAULT_TARGET if target is None else target)


def _mean(weighted: list[tuple[float, float]]) -> float | None:
    """Return the weighted mean, in whatever order the values come; None without weight."""
    weight = math.fsum(each for each, _ in weighted)
    if not weight:
        return None
    values = {value for each, value in weighted if each}
    return values.pop() if len(values) == 1 else math.fsum(each * value for each, value in weighted) / weight


def sales_entity(contracts: Mapping[str, ContractSummary]) -> str | None:
    """Return the entity that the shop's sales are counted from: the first with a customer and revenue, else with revenue."""
    with_revenue = [entity for entity, contract in contracts.items() if contract.revenue]
    with_customer = [entity for entity in with_revenue if contracts[entity].customer]
    return next(iter(with_customer or with_revenue), None)


def summarise(contracts: Mapping[str, ContractSummary], totals: Mapping[str, EntityTotals]) -> dict[str, Any]:
    """Return the parts ``entities`` and ``kpis`` of ``headrace status --json``; an entity without totals has zeros."""
    entities: dict[str, Any] = {}
    parts: list[tuple[float, Quality]] = []
    for entity, contract in contracts.items():
        total = totals.get(entity, EntityTotals())
        measured = quality(contract, total)
        parts.append((contract.weight * (total.clean + total.rejected), measured))
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
            "quality": {"valid": measured.valid, "target": measured.target, "dimensions": dict(measured.dimensions)},
        }
    return {"entities": entities, "kpis": _kpis(contracts, totals, overall_quality(parts))}


def _kpis(contracts: Mapping[str, ContractSummary], totals: Mapping[str, EntityTotals], measured: Quality) -> dict[str, Any]:
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
        "valid_records": measured.valid,
        "valid_target": measured.target,
        "conformity": conformity(sum(one.clean for one in judged), sum(one.rejected for one in judged)),
    }


def orders_of(contract: ContractSummary, counts: Counts, distinct: int) -> int:
    """Return the number of orders: ``distinct`` order numbers, or records if each is an order of its own.

    Cancellations and other states of an order are left out, if the contract tells them apart.
    """
    if contract.order and not contract.order_unique:
        return distinct
    return counts.sold if contract.selects_sales else counts.clean


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
