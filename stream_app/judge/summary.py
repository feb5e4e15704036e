"""Totals become figures people read: conformity, quality by dimension, and the shop's key numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stream_app.contract.model import Contract, Dimension, Severity
from stream_app.judge.worth import tells_worth

#: What each dimension weighs in a quality score. All the same: a shop that wants otherwise splits its rules.
WEIGHTS: Mapping[str, float] = {dimension.value: 1.0 for dimension in Dimension}

_INFO = Severity.INFO.value
#: Minor units in one unit of currency (ISO 4217, two minor digits).
MINOR = 100


@dataclass(frozen=True, slots=True)
class RuleSummary:
    """What a finding of this rule means. ``worth``: what its records are worth is known (``judge.worth``)."""

    dimension: str
    severity: str
    path: str = "$"
    message: str = ""
    impact: str | None = None
    kind: str = "structure"
    worth: bool = False

    @property
    def counts(self) -> bool:
        """Whether findings of this rule lower the quality score: those of ``info`` rules do not."""
        return self.severity != _INFO


@dataclass(frozen=True, slots=True)
class FieldSummary:
    """One field: its logical type, and whether its values are personal and shown masked."""

    name: str
    type: str
    personal: bool = False


@dataclass(frozen=True, slots=True)
class ContractSummary:
    """What readers of the counts need to know of a contract.

    ``order_unique``: the ``order`` property is unique, so that clean records are orders.
    ``customer_entity``: the entity whose known records are the shop's customers.
    ``listed``: segment field → the values that the contract itself lists for it.
    """

    id: str
    version: str
    rules: Mapping[str, RuleSummary] = field(default_factory=dict)
    fields: tuple[FieldSummary, ...] = ()
    references: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    currency: str | None = None
    event_time: str | None = None
    order: str | None = None
    order_unique: bool = False
    customer: str | None = None
    customer_entity: str | None = None
    revenue: bool = False
    listed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def to_json(self) -> str:
        """Compact JSON, the value under the contracts key."""
        plain = {
            "id": self.id,
            "version": self.version,
            "currency": self.currency,
            "event_time": self.event_time,
            "segments": list(self.segments),
            "listed": {name: list(values) for name, values in self.listed.items()},
            "order": self.order,
            "order_unique": self.order_unique,
            "customer": self.customer,
            "customer_entity": self.customer_entity,
            "revenue": self.revenue,
            "references": list(self.references),
            "fields": [{"name": one.name, "type": one.type, "personal": one.personal} for one in self.fields],
            "rules": {
                rule_id: {
                    "dimension": rule.dimension,
                    "severity": rule.severity,
                    "path": rule.path,
                    "message": rule.message,
                    "impact": rule.impact,
                    "kind": rule.kind,
                    "worth": rule.worth,
                }
                for rule_id, rule in self.rules.items()
            },
        }
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> ContractSummary:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: the text is no such JSON.
        """
        try:
            plain = json.loads(text)
            references = tuple(plain["references"])
            customer = plain["customer"]
            return cls(
                id=plain["id"],
                version=plain["version"],
                currency=plain["currency"],
                event_time=plain["event_time"],
                segments=tuple(plain["segments"]),
                order=plain["order"],
                order_unique=bool(plain.get("order_unique", False)),
                customer=customer,
                customer_entity=plain.get("customer_entity"),
                revenue=bool(plain["revenue"]),
                listed={name: tuple(values) for name, values in plain.get("listed", {}).items()},
                references=references,
                fields=tuple(FieldSummary(one["name"], one["type"], bool(one["personal"])) for one in plain["fields"]),
                rules={
                    rule_id: RuleSummary(
                        dimension=rule["dimension"],
                        severity=rule["severity"],
                        path=rule["path"],
                        message=rule["message"],
                        impact=rule["impact"],
                        kind=rule["kind"],
                        worth=bool(rule.get("worth", False)),
                    )
                    for rule_id, rule in plain["rules"].items()
                },
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no contract summary: {type(error).__name__}: {error}") from None


@dataclass(frozen=True, slots=True)
class EntityTotals:
    """What was counted for one entity. Always ``received = clean + rejected + pending``.

    ``revenue_minor``: net revenue of clean records in minor units. ``active_customers`` and ``orders``: distinct values
    among clean records. ``known``: distinct clean records that others may refer to.
    """

    received: int = 0
    clean: int = 0
    rejected: int = 0
    pending: int = 0
    repaired: int = 0
    findings: Mapping[str, int] = field(default_factory=dict)
    revenue_minor: int = 0
    active_customers: int = 0
    orders: int = 0
    known: int = 0


@dataclass(frozen=True, slots=True)
class Quality:
    """Shares between 0 and 1; None where nothing was judged. ``dimensions`` holds those that have rules."""

    score: float | None
    dimensions: Mapping[str, float | None]


def describe(contract: Contract) -> ContractSummary:
    """What the store and the figures need of a compiled contract."""
    customers = [reference.to_entity for reference in contract.references if reference.field == contract.customer]
    return ContractSummary(
        id=contract.id,
        version=contract.version,
        currency=contract.revenue.currency if contract.revenue else None,
        event_time=contract.event_time,
        segments=contract.segments,
        order=contract.order,
        order_unique=any(unique.among == "kept" and unique.fields == (contract.order,) for unique in contract.uniques),
        customer=contract.customer,
        customer_entity=customers[0] if customers else None,
        revenue=contract.revenue is not None,
        listed={name: values for name in contract.segments if (values := _listed(contract, name))},
        references=tuple(dict.fromkeys(reference.to_entity for reference in contract.references)),
        fields=tuple(FieldSummary(one.name, one.type, one.personal) for one in contract.fields),
        rules={
            rule_id: RuleSummary(
                rule.dimension.value,
                rule.severity.value,
                rule.path,
                rule.message,
                rule.impact,
                rule.kind,
                tells_worth(contract, rule),
            )
            for rule_id, rule in contract.rules.items()
        },
    )


#: More listed values than these are not passed on to readers.
MOST_LISTED = 500


def _listed(contract: Contract, name: str) -> tuple[str, ...]:
    """The values of a field that the contract lists: valid ones, and those that its spellings lead to."""
    valid = [value for one in contract.values if one.field == name and one.metric == "invalidValues" for value in one.values]
    spelt = [value for one in contract.fields if one.name == name for value in one.spellings.values()]
    found = tuple(dict.fromkeys(value for value in [*valid, *spelt] if isinstance(value, str)))
    return found if len(found) <= MOST_LISTED else ()


def conformity(clean: int, rejected: int) -> float | None:
    """The share of judged records that are clean; None when none was judged."""
    judged = clean + rejected
    return clean / judged if judged else None


def quality(contract: ContractSummary, received: int, findings: Mapping[str, int]) -> Quality:
    """Per dimension 1 − findings ÷ (records × rules); the score is their weighted mean.

    Only rules of severity ``error`` or ``warning`` count, and only findings of rules that the contract still has.
    """
    rules: dict[str, int] = {}
    found: dict[str, int] = {}
    for rule_id, rule in contract.rules.items():
        if rule.counts:
            rules[rule.dimension] = rules.get(rule.dimension, 0) + 1
            found[rule.dimension] = found.get(rule.dimension, 0) + findings.get(rule_id, 0)
    if not received or not rules:
        return Quality(None, {dimension: None for dimension in sorted(rules)})
    # A rule may find twice in one record (two list items, say): a share below nothing would mean nothing.
    shares = {name: max(0.0, 1 - found[name] / (received * rules[name])) for name in sorted(rules)}
    weight = sum(WEIGHTS.get(name, 1.0) for name in shares)
    return Quality(sum(WEIGHTS.get(name, 1.0) * share for name, share in shares.items()) / weight, shares)


def overall_quality(parts: Iterable[tuple[int, Quality]]) -> Quality:
    """One quality of several entities: means weighted by the records of each, per dimension and for the score."""
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
    """The entity that the shop's sales are counted from: the first with a customer and revenue, else with revenue."""
    with_revenue = [entity for entity, contract in contracts.items() if contract.revenue]
    with_customer = [entity for entity in with_revenue if contracts[entity].customer]
    return next(iter(with_customer or with_revenue), None)


def summarise(contracts: Mapping[str, ContractSummary], totals: Mapping[str, EntityTotals]) -> dict[str, Any]:
    """The ``entities`` and ``kpis`` parts of ``headrace status --json``; an entity without totals counts nothing."""
    entities: dict[str, Any] = {}
    parts: list[tuple[int, Quality]] = []
    for entity, contract in contracts.items():
        total = totals.get(entity, EntityTotals())
        measured = quality(contract, total.received, total.findings)
        parts.append((total.received, measured))
        entities[entity] = {
            "in": total.received,
            "clean": total.clean,
            "rejected": total.rejected,
            "pending": total.pending,
            "repaired": total.repaired,
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
    return {
        "active_customers": total.active_customers,
        "orders": total.orders,
        "revenue": total.revenue_minor / MINOR,
        "currency": contract.currency if contract else None,
        "conversion_rate": conversion_rate(total.active_customers, customers.known if customers else 0),
        "quality_score": score,
        "conformity": conformity(sum(one.clean for one in judged), sum(one.rejected for one in judged)),
    }


def conversion_rate(active: int, known: int) -> float | None:
    """Active ÷ known customers; None where no customer is known. At most 1: ``active`` may be an estimate."""
    return min(1.0, active / known) if known else None
