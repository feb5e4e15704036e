"""Facts about rules: the most frequent ones, and the segments in which a rule finds more than elsewhere."""

from __future__ import annotations

from reporter import names
from reporter.context import Context
from stream_app.views.breakdown import RuleCount, by_rule
from stream_app.views.period import concentrations

#: Maximum number of each in a report; facts beyond it would only cost tokens.
MOST_RULES, MOST_SEGMENTS = 8, 5


def add_rules(context: Context, all_findings: int) -> None:
    """Add the rules with most findings that the contract still has; ``all_findings`` is the total of all rules."""
    rows = [
        row
        for row in by_rule(context.contracts, context.counts, context.before)
        if row.rule in context.contracts[row.entity].rules and row.is_finding and row.count > 0
    ]
    for row in rows[:MOST_RULES]:
        _add_rule(context, row, all_findings)


def _add_rule(context: Context, row: RuleCount, all_findings: int) -> None:
    texts, writer = context.texts, context.writer
    rule = context.contracts[row.entity].rules[row.rule]
    prefix = names.rule_prefix(row.entity, row.rule)
    context.facts.rules.append(prefix)
    if rule.kind == "unique":
        context.facts.repeats.add(prefix)
    name = texts("rule", rule=row.rule, entity=row.entity)
    words = {"rule": name, "entity": row.entity}
    dimension = texts("dimensions", rule.dimension) if texts.has("dimensions", rule.dimension) else rule.dimension
    writer.add(f"{prefix}.name", name, "name", "rule.name", words=words)
    writer.add(f"{prefix}.meaning", names.meaning(row.rule, rule, texts), "name", "rule.meaning", words=words)
    writer.add(f"{prefix}.impact", names.sentence(rule.impact or "") or None, "name", "rule.impact", words=words)
    writer.add(f"{prefix}.dimension", dimension, "name", "rule.dimension", words=words)
    findings = (row.count, row.previous)
    writer.compare(f"{prefix}.findings", findings, "findings", "difference", "rule.findings", "lower", words=words)
    records = context.counts[row.entity].records
    shares = (row.share if records else None, row.previous_share)
    writer.compare(f"{prefix}.share", shares, "share", "points", "rule.share", "lower", words=words)
    part = row.count / all_findings if all_findings else None
    writer.add(f"{prefix}.part", part, "share", "rule.part", words=words)
    if row.at_risk_minor and context.currency:
        writer.add(f"{prefix}.at_risk", row.at_risk_minor, context.money, "rule.at_risk", "lower", words=words)


def add_segments(context: Context) -> None:
    """Add the segments in which a rule finds more than elsewhere, the clearest ones first."""
    texts, writer = context.texts, context.writer
    for number, one in enumerate(concentrations(context.contracts, context.material.counts)[:MOST_SEGMENTS], 1):
        prefix = f"segment.{number}"
        context.facts.segments.append(prefix)
        context.facts.related[prefix] = (names.rule_prefix(one.entity, one.rule),)
        name = names.segment_name(context.material.contracts, one.entity, one.field, one.value, texts)
        rule = texts("rule", rule=one.rule, entity=one.entity)
        words = {"rule": rule, "segment": name}
        writer.add(f"{prefix}.name", name, "name", "segment.name", words=words)
        writer.add(f"{prefix}.rule", rule, "name", "rule.name", words=words)
        writer.add(f"{prefix}.findings", one.findings, "findings", "segment.findings", "lower", words=words)
        writer.add(f"{prefix}.records", one.records, "records", "segment.records", words=words)
        elsewhere = one.findings_elsewhere
        writer.add(f"{prefix}.findings_elsewhere", elsewhere, "findings", "segment.findings_elsewhere", "lower", words=words)
        writer.add(f"{prefix}.records_elsewhere", one.records_elsewhere, "records", "segment.records_elsewhere", words=words)
        writer.add(f"{prefix}.there", one.share, "share", "segment.there", words=words)
        writer.add(f"{prefix}.elsewhere", one.share_elsewhere, "share", "segment.elsewhere", words=words)
        writer.add(f"{prefix}.ratio", one.ratio, "ratio", "segment.ratio", words=words)
        writer.add(f"{prefix}.part", one.share_of_findings, "share", "segment.part", words=words)
