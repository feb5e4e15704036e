"""The figures of a period, computed from a recount as they are defined for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headrace.recount.counting import Recount, Sum, repeating
from stream_app.contract import Contract, Shop
from stream_app.contract.money import minor_units


@dataclass(frozen=True, slots=True)
class Truth:
    """A shop, and the recount of its entities."""

    shop: Shop
    entities: Mapping[str, Recount]

    @property
    def sales(self) -> str | None:
        """Return the entity that sales are counted from: the first by name with revenue and customer."""
        found = [name for name, one in self.shop.contracts.items() if one.revenue]
        return min((name for name in found if self.shop.contracts[name].customer), default=min(found, default=None))

    @property
    def visits(self) -> str | None:
        """Return the entity of visits."""
        return next((name for name, one in self.shop.contracts.items() if one.visit), None)

    def period(self, start: int | None = None, end: int | None = None) -> Period:
        """Return the figures from ``start`` up to ``end`` (s), or of all time."""
        sums = {
            name: one.everything() if start is None or end is None else one.between(start, end)
            for name, one in self.entities.items()
        }
        return Period(self, sums)


@dataclass(frozen=True, slots=True)
class Period:
    """The figures of one period."""

    truth: Truth
    sums: Mapping[str, Sum]

    @property
    def sold(self) -> Sum:
        """Return the sum of the sales entity."""
        return self.sums[self.truth.sales] if self.truth.sales else Sum()

    @property
    def units(self) -> int:
        """Return the minor units of one unit of currency."""
        contract = self.truth.shop.contracts.get(self.truth.sales or "")
        return minor_units(contract.revenue.currency if contract and contract.revenue else None)

    @property
    def revenue(self) -> float:
        """Return the revenue in units of currency."""
        return self.sold["revenue"] / self.units

    @property
    def orders(self) -> int:
        """Return the orders: different order numbers, of records that are one."""
        contract = self.truth.shop.contracts.get(self.truth.sales or "")
        if contract is None or contract.order is None:
            return self.sold["sold"]
        return len(self.sold.orders)

    @property
    def customers(self) -> int:
        """Return the customers who bought."""
        return len(self.sold.customers)

    @property
    def visits(self) -> int | None:
        """Return the visits; None if no contract names them."""
        return None if self.truth.visits is None else self.sums[self.truth.visits]["clean"]

    @property
    def conversion(self) -> float | None:
        """Return orders ÷ visits."""
        return self.orders / self.visits if self.visits and self.truth.sales else None

    @property
    def average(self) -> int | None:
        """Return the average order value in minor units."""
        return round(self.sold["revenue"] / self.orders) if self.orders else None

    def of(self, entity: str | None) -> list[str]:
        """Return one entity, or all."""
        return list(self.sums) if entity is None else [entity]

    def count(self, name: str, entity: str | None = None) -> int:
        """Return one count, of one entity or all."""
        return sum(self.sums[one][name] for one in self.of(entity))

    def conformity(self, entity: str | None = None) -> float | None:
        """Return clean ÷ judged records."""
        judged = self.count("clean", entity) + self.count("rejected", entity)
        return self.count("clean", entity) / judged if judged else None

    def findings(self, entity: str | None = None) -> int:
        """Return errors and warnings."""
        return sum(
            number
            for one in self.of(entity)
            for rule, number in self.sums[one].named("finding").items()
            if self.truth.shop.contracts[one].rules[rule].severity != "info"
        )

    def valid(self, entity: str | None = None, dimension: str | None = None) -> float | None:
        """Return the share of judged records without an error or a warning; with ``dimension``, without one of it."""
        parts = []
        for one in self.of(entity):
            contract, part = self.truth.shop.contracts[one], self.sums[one]
            judged = part["clean"] + part["rejected"]
            bad = part["rejected"] + part["warned"] if dimension is None else part["dimension", dimension]
            if judged and (dimension is None or dimension in _dimensions(contract)):
                parts.append((1 if entity else contract.weight, judged, (judged - bad) / judged))
        weight = sum(weight * judged for weight, judged, _ in parts)
        return sum(weight * judged * share for weight, judged, share in parts) / weight if weight else None

    def target(self) -> float | None:
        """Return the share of valid records that is good: of the contracts of what was judged, weighted as ``valid`` is."""
        contracts = self.truth.shop.contracts
        parts = [
            (contracts[one].weight * (part["clean"] + part["rejected"]), contracts[one].target)
            for one, part in self.sums.items()
        ]
        weight = sum(weight for weight, _ in parts)
        return sum(weight * target for weight, target in parts) / weight if weight else None

    def band(self, open_incidents: int) -> str | None:
        """Return ``good``, ``watch`` or ``bad``: at most the target's share of invalid records, at most twice it, or more."""
        valid, target = self.valid(), self.target()
        if valid is None or target is None:
            return None
        excess = (1 - valid) - (1 - target)
        if excess > (1 - target) + 1e-9:
            return "bad"
        return "watch" if open_incidents or excess > 1e-9 else "good"

    def at_risk(self, entity: str | None = None) -> tuple[float | None, float]:
        """Return the value at risk in minor units, and the part of it that is at the average worth of a clean record.

        That is the average of the clean records whose amount no warning doubts.
        """
        priced = [one for one in self.of(entity) if self.truth.shop.contracts[one].revenue]
        usual = 0
        for one in priced:
            part = self.sums[one]
            trusted, revenue = part["clean"] - part["doubted"], part["revenue"] - part["doubted_revenue"]
            usual += round(part["unvalued"] * max(revenue, 0) / trusted) if trusted else 0
        return (sum(self.sums[one]["risk"] for one in priced) + usual if priced else None), usual

    def rules(self) -> dict[tuple[str, str], int]:
        """Return (entity, rule) → findings."""
        return {(one, rule): number for one, part in self.sums.items() for rule, number in part.named("finding").items()}

    def risk_of(self, entity: str, rule: str) -> int | None:
        """Return the value at risk in the findings of a rule (minor units); None if it does not tell what a record is worth."""
        contract = self.truth.shop.contracts[entity]
        found, money = contract.rules[rule], contract.revenue
        doubts = found.kind in {"condition", "outlier", "deviation"} or rule in repeating(contract)
        roles = {one.field for one in (contract.sale, contract.cancellation) if one is not None}
        if money is None or doubts or found.severity == "info" or found.field in money.fields | roles:
            return None
        return self.sums[entity]["at_risk", rule]

    def segment(self, entity: str, field: str) -> dict[str, Mapping[str, tuple[int, int]]]:
        """Return value → name → (count, how much more it may be)."""
        found: dict[str, dict[str, tuple[int, int]]] = {}
        part = self.sums[entity]
        for key in {*part.counts, *part.possible}:
            if key[:2] == ("segment", field):
                found.setdefault(key[2], {})[key[3]] = part.counts[key], part.possible[key]
        return dict(found)


def _dimensions(contract: Contract) -> set[Any]:
    return {rule.dimension.value for rule in contract.rules.values() if rule.severity != "info"}
