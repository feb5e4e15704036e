"""Computes the facts of a period: totals, changes, findings by rule, segments, incidents, repairs, health. Pure."""

from __future__ import annotations

from typing import Any

from reporter import names
from reporter.derive import Whole, concentrations, rising_repairs, whole
from reporter.facts import Fact, Facts
from reporter.figures import render, shown_share
from reporter.material import Incident, Material
from reporter.texts import Texts
from stream_app.judge.summary import ContractSummary, quality, sales_entity
from stream_app.judge.summary import conformity as share_clean
from stream_app.store.read_period import PeriodCounts
from stream_app.store.read_values import Counts

#: A report has room for so many of each; facts that no report could hold would only cost tokens.
MOST_RULES, MOST_SEGMENTS, MOST_INCIDENTS, MOST_REPAIRS, MOST_MISSING = 8, 5, 8, 4, 4
#: A contract's text is cut to this many characters.
LONGEST_TEXT = 200


def compute(material: Material, texts: Texts) -> Facts:
    """The facts of a period, in the language of ``texts``. The same material gives the same facts, in the same order."""
    return _Writer(material, texts).write()


class _Writer:
    def __init__(self, material: Material, texts: Texts) -> None:
        self.material, self.texts = material, texts
        self.contracts = {entity: one for entity, one in material.contracts.items() if entity in material.counts}
        self.before = material.before
        self.facts = Facts(texts.language, material.start, material.end, self.before is not None)
        self.sales = sales_entity(self.contracts)
        self.currency = (self.contracts[self.sales].currency if self.sales else None) or ""

    def write(self) -> Facts:
        material = self.material
        self._add("period.start", material.start, "moment")
        self._add("period.end", material.end, "moment")
        self._add("period.length", material.end - material.start, "length")
        if self.before is not None:
            self._add("previous.start", 2 * material.start - material.end, "moment")
            self._add("previous.end", material.start, "moment")
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

    # One fact, and one with the period before and the change between them.
    def _add(
        self,
        fact_id: str,
        value: Any,
        unit: str,
        label: str | None = None,
        better: str = "",
        *,
        hidden: bool = False,
        **words: str,
    ) -> None:
        if value is None:
            return
        key = label or fact_id
        named = key if not self.texts.has("labels", key) else self.texts("labels", key, **words)
        shown = render(value, unit, self.texts)
        self.facts.all[fact_id] = Fact(fact_id, value, unit, shown, named, better, hidden)

    def _with_change(
        self,
        fact_id: str,
        value: Any,
        previous: Any,
        unit: str,
        change: str,
        label: str | None = None,
        better: str = "",
        **words: str,
    ) -> None:
        """``change``: ``points``, ``relative`` or ``difference``. ``previous`` is None where there is nothing before."""
        self._add(fact_id, value, unit, label, better, **words)
        if value is None or previous is None:
            return
        base = self.facts.all[fact_id].label
        self._derived(f"{fact_id}.previous", previous, unit, self.texts("labels", "previous", label=base), "")
        if change == "relative":
            if previous > 0:
                moved = (value - previous) / previous
                self._derived(f"{fact_id}.change", moved, "relative", self.texts("labels", "change", label=base), better)
            return
        named = self.texts("labels", "change", label=base)
        if change == "points":
            self._derived(f"{fact_id}.change", shown_share(value) - shown_share(previous), "points", named, better)
        else:
            self._derived(f"{fact_id}.change", value - previous, f"+{unit}", named, better)

    def _derived(self, fact_id: str, value: Any, unit: str, label: str, better: str) -> None:
        self.facts.all[fact_id] = Fact(fact_id, value, unit, render(value, unit, self.texts), label, better)

    def _counts(self, entity: str) -> tuple[Counts, Counts | None]:
        held = self.material.counts[entity].counts
        return held, None if self.before is None else self.before.get(entity, PeriodCounts()).counts

    def _whole(self, now: Whole, then: Whole | None) -> None:
        self._with_change("all.records", now.records, then and then.records, "records", "relative")
        self._with_change("all.conformity", now.conformity, then and then.conformity, "share", "points", better="higher")
        self._with_change("all.score", now.score, then and then.score, "share", "points", better="higher")
        self._with_change("all.findings", now.findings, then and then.findings, "findings", "difference", better="lower")
        self._with_change("all.rejected", now.rejected, then and then.rejected, "records", "difference", better="lower")
        if self.currency:
            unit = f"money:{self.currency}"
            self._with_change("all.at_risk", now.at_risk, then and then.at_risk, unit, "relative", better="lower")
        for name, score in now.dimensions.items():
            words = {"name": self.texts("dimensions", name) if self.texts.has("dimensions", name) else name}
            previous = then.dimensions.get(name) if then else None
            fact_id = f"dimension.{names.part_of_id(name)}"
            self._with_change(fact_id, score, previous, "share", "points", "dimension", "higher", **words)

    def _entity(self, entity: str, contract: ContractSummary) -> None:
        prefix = f"entity.{names.part_of_id(entity)}"
        self.facts.entities.append(prefix)
        now, then = self._counts(entity)
        words = {"entity": entity}
        self._add(f"{prefix}.name", entity, "name", "entity.name")
        self._with_change(
            f"{prefix}.records", now.received, then and then.received, "records", "relative", "entity.records", **words
        )
        self._add(f"{prefix}.clean", now.clean, "records", "entity.clean", **words)
        self._with_change(
            f"{prefix}.rejected",
            now.rejected,
            then and then.rejected,
            "records",
            "difference",
            "entity.rejected",
            "lower",
            **words,
        )
        self._add(f"{prefix}.pending", now.pending, "records", "entity.pending", **words)
        shares = [None if one is None else share_clean(one.clean, one.rejected) for one in (now, then)]
        self._with_change(f"{prefix}.conformity", *shares, "share", "points", "entity.conformity", "higher", **words)
        scores = [None if one is None else quality(contract, one.received, one.findings).score for one in (now, then)]
        self._with_change(f"{prefix}.score", *scores, "share", "points", "entity.score", "higher", **words)

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

        money = (held.counts.revenue_minor, former and former.counts.revenue_minor)
        self._with_change("sales.revenue", *money, unit, "relative", better="higher")
        self._with_change("sales.orders", orders(held), orders(former), "orders", "relative", better="higher")
        if contract.customer:
            people = (held.customers, former and former.customers)
            self._with_change("sales.customers", *people, "customers", "relative", better="higher")
        self._with_change("sales.average", average(held), average(former), unit, "relative")

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
        self._add(f"{prefix}.name", called, "name", "rule.name", **words)
        self._add(f"{prefix}.meaning", _sentence(rule.message) or None, "name", "rule.meaning", **words)
        self._add(f"{prefix}.impact", _sentence(rule.impact or "") or None, "name", "rule.impact", **words)
        self._add(f"{prefix}.dimension", dimension, "name", "rule.dimension", **words)
        previous = None if then is None else then.findings.get(rule_id, 0)
        self._with_change(f"{prefix}.findings", count, previous, "findings", "difference", "rule.findings", "lower", **words)
        received = (now.received, then.received if then else 0)
        shares = [count / received[0] if received[0] else None]
        shares.append(previous / received[1] if previous is not None and received[1] else None)
        self._with_change(f"{prefix}.share", *shares, "share", "points", "rule.share", "lower", **words)
        self._add(f"{prefix}.part", count / all_findings if all_findings else None, "share", "rule.part", **words)
        risk = now.at_risk_minor.get(rule_id, 0)
        if risk and self.currency:
            self._add(f"{prefix}.at_risk", risk, f"money:{self.currency}", "rule.at_risk", "lower", **words)

    def _segments(self) -> None:
        for number, one in enumerate(concentrations(self.contracts, self.material.counts)[:MOST_SEGMENTS], 1):
            prefix = f"segment.{number}"
            self.facts.segments.append(prefix)
            called = names.segment_name(one.field, one.value, number, self.texts)
            hidden = not names.is_listed(self.contracts[one.entity], one.field, one.value)
            rule = self.texts("rule", rule=one.rule, entity=one.entity)
            # A label goes to the model; a value that the contract does not list does not.
            plain = self.texts("unnamed", field=one.field, number=number) if hidden else called
            words = {"rule": rule, "segment": plain}
            self._add(f"{prefix}.name", called, "name", "segment.name", hidden=hidden, **words)
            self._add(f"{prefix}.rule", rule, "name", "rule.name", **words)
            self._add(f"{prefix}.findings", one.findings, "findings", "segment.findings", "lower", **words)
            self._add(f"{prefix}.there", one.there, "share", "segment.there", **words)
            self._add(f"{prefix}.elsewhere", one.elsewhere, "share", "segment.elsewhere", **words)
            self._add(f"{prefix}.ratio", one.ratio, "ratio", "segment.ratio", **words)
            self._add(f"{prefix}.part", one.part, "share", "segment.part", **words)

    def _incidents(self) -> None:
        found = sorted(
            self.material.incidents, key=lambda one: (one.severity != "error", one.state != "open", -one.windows, one.id)
        )
        self._add("incidents.all", len(found), "incidents", better="lower")
        self._add("incidents.open", sum(one.state == "open" for one in found), "incidents", better="lower")
        for number, incident in enumerate(found[:MOST_INCIDENTS], 1):
            self._incident(f"incident.{number}", number, incident)

    def _incident(self, prefix: str, number: int, one: Incident) -> None:
        self.facts.incidents.append(prefix)
        contract = self.contracts.get(one.entity)
        entity = one.entity if contract else "–"
        called = names.incident_name(entity, contract, one.metric, self.texts)
        words = {"incident": called}
        unit = self._incident_unit(one.unit, one.metric)
        self._add(f"{prefix}.name", called, "name", "incident.name", **words)
        for name, value in (("observed", one.observed), ("expected", one.expected), ("low", one.low), ("high", one.high)):
            self._add(f"{prefix}.{name}", value, unit, f"incident.{name}", **words)
        if one.expected:
            self._add(
                f"{prefix}.deviation",
                (one.observed - one.expected) / abs(one.expected),
                "relative",
                "incident.deviation",
                **words,
            )
        self._add(f"{prefix}.start", one.start, "moment", "incident.start", **words)
        self._add(f"{prefix}.end", one.end, "moment", "incident.end", **words)
        self._add(f"{prefix}.windows", one.windows, "windows", "incident.windows", **words)
        for name, table, value in (("state", "states", one.state), ("direction", "directions", one.direction)):
            if self.texts.has(table, value):
                self._add(f"{prefix}.{name}", self.texts(table, value), "name", f"incident.{name}", **words)
        if one.segment and contract and one.segment[0] in contract.segments:
            field_name, value, there, elsewhere = one.segment
            called = names.segment_name(field_name, value, number, self.texts)
            hidden = not names.is_listed(contract, field_name, value)
            self._add(f"{prefix}.segment", called, "name", "incident.segment", hidden=hidden, **words)
            self._add(f"{prefix}.there", there, "share", "incident.there", **words)
            self._add(f"{prefix}.elsewhere", elsewhere, "share", "incident.elsewhere", **words)

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
            self._add(f"{prefix}.name", called, "name", "repair.name", repair=called)
            self._with_change(
                f"{prefix}.count", count, previous, "records", "difference", "repair.count", "lower", repair=called
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
            self._add(f"{prefix}.name", called, "name", "missing.name", field=called)
            self._add(f"{prefix}.count", count, "records", "missing.count", "lower", field=called)
            self._with_change(f"{prefix}.share", here, former, "share", "points", "missing.share", "lower", field=called)

    def _health(self) -> None:
        health = self.material.health
        self._add("health.workers", health.workers, "workers")
        self._add("health.lag", health.lag, "records", better="lower")
        self._add("health.waiting", health.waiting, "records")
        self._add("health.at", health.stream, "moment")


def _rule_prefix(entity: str, rule_id: str) -> str:
    return f"rule.{names.part_of_id(entity)}.{names.part_of_id(rule_id)}"


def _sentence(text: str) -> str:
    """A contract's text as part of a sentence: on one line, cut, without its last stop."""
    plain = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    if len(plain) > LONGEST_TEXT:
        plain = plain[: LONGEST_TEXT - 1].rstrip() + "…"
    return plain.rstrip(".")
