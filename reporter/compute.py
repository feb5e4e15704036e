"""Computes the facts of a period: totals, changes, findings by rule, segments, incidents, repairs, health. Pure."""

from __future__ import annotations

from reporter import names
from reporter.book import Book
from reporter.facts import Facts
from reporter.material import Incident, Material
from reporter.texts import Texts
from stream_app.contract.summary import ContractSummary
from stream_app.counts.fields import Counts
from stream_app.counts.summary import at_risk, quality, sales_entity
from stream_app.counts.summary import conformity as share_clean
from stream_app.store.period import PeriodCounts
from stream_app.views.period import Whole, concentrations, is_comparable, rising_repairs, whole

#: A report has room for so many of each; facts that no report could hold would only cost tokens.
MOST_RULES, MOST_SEGMENTS, MOST_INCIDENTS, MOST_REPAIRS, MOST_MISSING = 8, 5, 8, 4, 4
#: Measures whose incidents make the revenue itself doubtful where they are too high.
DOUBTFUL = frozenset({"revenue", "average_order"})

#: What the two figures of an incident's segment are, by metric (see ``stream_app.monitor.incident``).
_SHARES = ("there", "elsewhere")
_FIGURES = {"volume": ("reached", "reached_elsewhere"), "mix": ("part", "part_before")}


def compute(material: Material, texts: Texts) -> Facts:
    """The facts of a period, in the language of ``texts``. The same material gives the same facts, in the same order."""
    return _Writer(material, texts).write()


class _Writer:
    def __init__(self, material: Material, texts: Texts) -> None:
        self.material, self.texts = material, texts
        self.contracts = {entity: one for entity, one in material.contracts.items() if entity in material.counts}
        self.before = material.before if material.before and is_comparable(material.counts, material.before) else None
        self.facts = Facts(texts.language, material.start, material.end, self.before is not None)
        self.book = Book(self.facts, texts)
        self.sales = sales_entity(self.contracts)
        self.currency = (self.contracts[self.sales].currency if self.sales else None) or ""

    def write(self) -> Facts:
        material = self.material
        self.book.add("period.start", material.start, "moment")
        self.book.add("period.end", material.end, "moment")
        self.book.add("period.length", material.end - material.start, "length")
        if self.before is not None:
            self.book.add("previous.start", 2 * material.start - material.end, "moment")
            self.book.add("previous.end", material.start, "moment")
        now = whole(self.contracts, material.counts)
        self._whole(now, whole(self.contracts, self.before) if self.before is not None else None)
        for entity, contract in self.contracts.items():
            self._entity(entity, contract)
        self._sales()
        self._rules(now.findings)
        self._segments()
        self._incidents()
        self._repairs()
        self._missing()
        self._health()
        return self.facts

    def _counts(self, entity: str) -> tuple[Counts, Counts | None]:
        held = self.material.counts[entity].counts
        return held, None if self.before is None else self.before.get(entity, PeriodCounts()).counts

    def _whole(self, now: Whole, then: Whole | None) -> None:
        self.book.compare("all.records", (now.records, then.records if then else None), "records", "relative")
        self.book.compare(
            "all.conformity", (now.conformity, then.conformity if then else None), "share", "points", better="higher"
        )
        self.book.compare("all.score", (now.score, then.score if then else None), "share", "points", better="higher")
        self.book.compare(
            "all.findings", (now.findings, then.findings if then else None), "findings", "difference", better="lower"
        )
        self.book.compare(
            "all.rejected", (now.rejected, then.rejected if then else None), "records", "difference", better="lower"
        )
        if self.currency:
            unit = f"money:{self.currency}"
            self.book.compare("all.at_risk", (now.at_risk, then.at_risk if then else None), unit, "relative", better="lower")
        for name, score in now.dimensions.items():
            words = {"name": self.texts("dimensions", name) if self.texts.has("dimensions", name) else name}
            previous = then.dimensions.get(name) if then else None
            fact_id = f"dimension.{names.part_of_id(name)}"
            self.book.compare(fact_id, (score, previous), "share", "points", "dimension", "higher", words=words)

    def _entity(self, entity: str, contract: ContractSummary) -> None:
        prefix = f"entity.{names.part_of_id(entity)}"
        self.facts.entities.append(prefix)
        now, then = self._counts(entity)
        words = {"entity": entity}
        self.book.add(f"{prefix}.name", entity, "name", "entity.name")
        self.book.compare(
            f"{prefix}.records",
            (now.received, then.received if then else None),
            "records",
            "relative",
            "entity.records",
            words=words,
        )
        self.book.add(f"{prefix}.clean", now.clean, "records", "entity.clean", words=words)
        self.book.compare(
            f"{prefix}.rejected",
            (now.rejected, then.rejected if then else None),
            "records",
            "difference",
            "entity.rejected",
            "lower",
            words=words,
        )
        self.book.add(f"{prefix}.pending", now.pending, "records", "entity.pending", words=words)
        shares = (share_clean(now.clean, now.rejected), share_clean(then.clean, then.rejected) if then else None)
        self.book.compare(f"{prefix}.conformity", shares, "share", "points", "entity.conformity", "higher", words=words)
        scores = [quality(contract, one.received, one.findings).score if one else None for one in (now, then)]
        self.book.compare(f"{prefix}.score", (scores[0], scores[1]), "share", "points", "entity.score", "higher", words=words)

    def _sales(self) -> None:
        if self.sales is None:
            return
        contract = self.contracts[self.sales]
        held = self.material.counts[self.sales]
        former = None if self.before is None else self.before.get(self.sales, PeriodCounts())
        unit = f"money:{self.currency}"

        def orders(one: PeriodCounts | None) -> int | None:
            if one is None:
                return None
            return one.orders if contract.order and not contract.order_unique else one.counts.clean

        def average(one: PeriodCounts | None) -> int | None:
            number = orders(one)
            return round(one.counts.revenue_minor / number) if one is not None and number else None

        money = (held.counts.revenue_minor, former.counts.revenue_minor if former else None)
        self.book.compare("sales.revenue", money, unit, "relative", better="higher")
        self.book.compare("sales.orders", (orders(held), orders(former)), "orders", "relative", better="higher")
        if contract.customer:
            people = (held.customers, former.customers if former else None)
            self.book.compare("sales.customers", people, "customers", "relative", better="higher")
        self.book.compare("sales.average", (average(held), average(former)), unit, "relative")

    def _rules(self, all_findings: int) -> None:
        rows = []
        for entity, contract in self.contracts.items():
            now, _ = self._counts(entity)
            for rule_id, count in now.findings.items():
                rule = contract.rules.get(rule_id)
                if rule is not None and rule.counts and count > 0:
                    rows.append((-count, entity, rule_id))
        for count, entity, rule_id in sorted(rows)[:MOST_RULES]:
            self._rule(entity, rule_id, -count, all_findings)

    def _rule(self, entity: str, rule_id: str, count: int, all_findings: int) -> None:
        now, then = self._counts(entity)
        rule = self.contracts[entity].rules[rule_id]
        prefix = _rule_prefix(entity, rule_id)
        self.facts.rules.append(prefix)
        called = self.texts("rule", rule=rule_id, entity=entity)
        words = {"rule": called, "entity": entity}
        dimension = self.texts("dimensions", rule.dimension) if self.texts.has("dimensions", rule.dimension) else rule.dimension
        self.book.add(f"{prefix}.name", called, "name", "rule.name", words=words)
        self.book.add(f"{prefix}.meaning", names.meaning(rule_id, rule, self.texts), "name", "rule.meaning", words=words)
        self.book.add(f"{prefix}.impact", names.sentence(rule.impact or "") or None, "name", "rule.impact", words=words)
        self.book.add(f"{prefix}.dimension", dimension, "name", "rule.dimension", words=words)
        previous = None if then is None else then.findings.get(rule_id, 0)
        found = (count, previous)
        self.book.compare(f"{prefix}.findings", found, "findings", "difference", "rule.findings", "lower", words=words)
        shares = (
            count / now.received if now.received else None,
            previous / then.received if previous is not None and then is not None and then.received else None,
        )
        self.book.compare(f"{prefix}.share", shares, "share", "points", "rule.share", "lower", words=words)
        self.book.add(f"{prefix}.part", count / all_findings if all_findings else None, "share", "rule.part", words=words)
        risk = at_risk(self.contracts[entity], rule_id, now.at_risk_minor)
        if risk and self.currency:
            self.book.add(f"{prefix}.at_risk", risk, f"money:{self.currency}", "rule.at_risk", "lower", words=words)

    def _segments(self) -> None:
        for number, one in enumerate(concentrations(self.contracts, self.material.counts)[:MOST_SEGMENTS], 1):
            prefix = f"segment.{number}"
            self.facts.segments.append(prefix)
            called = names.segment_name(one.field, one.value, number, self.texts)
            hidden = names.is_hidden(self.material.contracts, one.entity, one.field, one.value)
            rule = self.texts("rule", rule=one.rule, entity=one.entity)
            # A label goes to the model; a value that the contract does not list does not.
            plain = self.texts("unnamed", field=one.field, number=number) if hidden else called
            words = {"rule": rule, "segment": plain}
            self.book.add(f"{prefix}.name", called, "name", "segment.name", hidden=hidden, words=words)
            self.book.add(f"{prefix}.rule", rule, "name", "rule.name", words=words)
            self.book.add(f"{prefix}.findings", one.findings, "findings", "segment.findings", "lower", words=words)
            self.book.add(f"{prefix}.there", one.there, "share", "segment.there", words=words)
            self.book.add(f"{prefix}.elsewhere", one.elsewhere, "share", "segment.elsewhere", words=words)
            self.book.add(f"{prefix}.ratio", one.ratio, "ratio", "segment.ratio", words=words)
            self.book.add(f"{prefix}.part", one.part, "share", "segment.part", words=words)

    def _incidents(self) -> None:
        found = sorted(
            self.material.incidents, key=lambda one: (one.severity != "error", one.state != "open", -one.windows, one.id)
        )
        self.book.add("incidents.all", len(found), "incidents", better="lower")
        self.book.add("incidents.open", sum(one.state == "open" for one in found), "incidents", better="lower")
        for number, incident in enumerate(found[:MOST_INCIDENTS], 1):
            self._incident(f"incident.{number}", number, incident)

    def _incident(self, prefix: str, number: int, one: Incident) -> None:
        self.facts.incidents.append(prefix)
        contract = self.contracts.get(one.entity)
        entity = one.entity if contract else "–"
        called = names.incident_name(entity, contract, one.metric, self.texts)
        words = {"incident": called}
        unit = self._incident_unit(one.unit, one.metric)
        self.book.add(f"{prefix}.name", called, "name", "incident.name", words=words)
        for name, value in (("observed", one.observed), ("expected", one.expected), ("low", one.low), ("high", one.high)):
            self.book.add(f"{prefix}.{name}", value, unit, f"incident.{name}", words=words)
        if one.expected:
            deviation = (one.observed - one.expected) / abs(one.expected)
            self.book.add(f"{prefix}.deviation", deviation, "relative", "incident.deviation", words=words)
        self.book.add(f"{prefix}.start", one.start, "moment", "incident.start", words=words)
        self.book.add(f"{prefix}.end", one.end, "moment", "incident.end", words=words)
        self.book.add(f"{prefix}.windows", one.windows, "windows", "incident.windows", words=words)
        for name, table, word in (("state", "states", one.state), ("direction", "directions", one.direction)):
            if self.texts.has(table, word):
                self.book.add(f"{prefix}.{name}", self.texts(table, word), "name", f"incident.{name}", words=words)
        if one.entity == self.sales and one.metric in DOUBTFUL and one.direction == "high":
            self.facts.doubts.append(prefix)
        if one.segment and contract and one.segment[0] in contract.segments:
            field_name, held, there, elsewhere = one.segment
            shown = names.segment_name(field_name, held, number, self.texts)
            hidden = names.is_hidden(self.material.contracts, one.entity, field_name, held)
            self.book.add(f"{prefix}.segment", shown, "name", "incident.segment", hidden=hidden, words=words)
            for name, value in zip(_FIGURES.get(one.metric.partition(":")[0], _SHARES), (there, elsewhere), strict=True):
                self.book.add(f"{prefix}.{name}", value, "share", f"incident.{name}", words=words)

    def _incident_unit(self, unit: str, metric: str) -> str:
        if unit == "money":
            return f"money:{self.currency}"
        if unit in {"share", "score"}:
            return "share"
        return "findings" if metric.startswith("finding:") else "records"

    def _repairs(self) -> None:
        if self.before is None:
            return
        rows = []
        for entity in self.contracts:
            now, then = self._counts(entity)
            rows += [(then_count - count, entity, repair, count, then_count)
                     for repair, count, then_count in rising_repairs(now, then or Counts())]  # fmt: skip
        for _, entity, repair, count, previous in sorted(rows)[:MOST_REPAIRS]:
            if repair.partition(".")[0] not in {one.name for one in self.contracts[entity].fields}:
                continue
            prefix = f"repair.{names.part_of_id(entity)}.{names.part_of_id(repair)}"
            self.facts.repairs.append(prefix)
            called = self.texts("rule", rule=repair, entity=entity)
            self.book.add(f"{prefix}.name", called, "name", "repair.name", words={"repair": called})
            self.book.compare(
                f"{prefix}.count", (count, previous), "records", "difference", "repair.count", "lower", words={"repair": called}
            )

    def _missing(self) -> None:
        """Optional fields that are missing more often than in the period before."""
        if self.before is None:
            return
        rows = []
        for entity, contract in self.contracts.items():
            now, then = self._counts(entity)
            for one in contract.fields:
                settled = [part.clean + part.rejected for part in (now, then or Counts())]
                if not all(settled):
                    continue
                here, former = now.nulls.get(one.name, 0) / settled[0], (then or Counts()).nulls.get(one.name, 0) / settled[1]
                if now.nulls.get(one.name, 0) >= 5 and here >= 1.5 * former:
                    rows.append((former - here, entity, one.name, here, former, now.nulls[one.name]))
        for _, entity, name, here, former, count in sorted(rows)[:MOST_MISSING]:
            prefix = f"missing.{names.part_of_id(entity)}.{names.part_of_id(name)}"
            self.facts.missing.append(prefix)
            called = self.texts("rule", rule=name, entity=entity)
            self.book.add(f"{prefix}.name", called, "name", "missing.name", words={"field": called})
            self.book.add(f"{prefix}.count", count, "records", "missing.count", "lower", words={"field": called})
            both, words = (here, former), {"field": called}
            self.book.compare(f"{prefix}.share", both, "share", "points", "missing.share", "lower", words=words)

    def _health(self) -> None:
        health = self.material.health
        self.book.add("health.workers", health.workers, "workers")
        self.book.add("health.lag", health.lag, "records", better="lower")
        self.book.add("health.waiting", health.waiting, "records")
        self.book.add("health.at", health.stream, "moment")


def _rule_prefix(entity: str, rule_id: str) -> str:
    return f"rule.{names.part_of_id(entity)}.{names.part_of_id(rule_id)}"
