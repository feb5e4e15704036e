"""Shared state of the modules that add facts: the material, and the facts so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reporter.fact_writer import FactWriter
from reporter.facts import Facts
from reporter.material import Material
from reporter.texts import Texts
from stream_app.contract.summary import ContractSummary
from stream_app.counts.fields import Counts
from stream_app.counts.summary import sales_entity
from stream_app.store.period import PeriodCounts
from stream_app.views.period import is_comparable


@dataclass(frozen=True, slots=True)
class Context:
    """The material of a report, prepared.

    Attributes:
        contracts: entity → contract of the entities that were counted.
        counts, before: entity → counts of the period and of the previous one, which is None if it is not comparable.
        before_periods: ``before`` with its distinct customers and orders.
        currency: of the sales; empty if there is none.
    """

    material: Material
    texts: Texts
    facts: Facts
    writer: FactWriter
    contracts: Mapping[str, ContractSummary]
    counts: Mapping[str, Counts]
    before: Mapping[str, Counts] | None
    before_periods: Mapping[str, PeriodCounts] | None
    sales: str | None
    currency: str

    @classmethod
    def of(cls, material: Material, texts: Texts) -> Context:
        """Prepare the material; the facts are still empty."""
        contracts = {entity: one for entity, one in material.contracts.items() if entity in material.counts}
        comparable = bool(material.before) and is_comparable(material.counts, material.before or {})
        before = material.before if comparable else None
        facts = Facts(texts.language, material.start, material.end, before is not None)
        sales = sales_entity(contracts)
        return cls(
            material=material,
            texts=texts,
            facts=facts,
            writer=FactWriter(facts, texts),
            contracts=contracts,
            counts={entity: material.counts[entity].counts for entity in contracts},
            before=None if before is None else {entity: before.get(entity, PeriodCounts()).counts for entity in contracts},
            before_periods=before,
            sales=sales,
            currency=(contracts[sales].currency if sales else None) or "",
        )

    @property
    def money(self) -> str:
        """The unit of money."""
        return f"money:{self.currency}"

    def counts_of(self, entity: str) -> tuple[Counts, Counts | None]:
        """Return an entity's counts in the period and in the previous one."""
        return self.counts[entity], None if self.before is None else self.before[entity]
