"""Facts that connect counts: rules that find the same records, when a rule found most, records rejected for other records."""

from __future__ import annotations

from reporter import names
from reporter.context import Context
from stream_app.counts.fields import Counts
from stream_app.views.insights import FEWEST, stretches, together
from stream_app.views.period import CHANCE, chance_of_more

#: Maximum number of each in a report; facts beyond it would only cost tokens.
MOST = 4


def add_insights(context: Context) -> None:
    """Add what the counts tell for certain about rules together, about time, and about references."""
    _add_together(context)
    _add_stretches(context)
    _add_cascades(context)


def _add_together(context: Context) -> None:
    windows = context.material.windows
    parts = {
        entity: [one.counts for one in windows[entity]] if windows.get(entity) else [context.counts[entity]]
        for entity in context.contracts
    }
    facts, writer = context.facts, context.writer
    for number, one in enumerate(together(context.contracts, parts)[:MOST], 1):
        first, second = (names.rule_prefix(one.entity, rule) for rule in (one.rule, one.other))
        # Whatever is said about one of these rules is said about both.
        for mine, its in ((first, second), (second, first)):
            facts.related[mine] = tuple(dict.fromkeys([*facts.related.get(mine, ()), its]))
        prefix = f"together.{number}"
        facts.together.append(prefix)
        facts.related[prefix] = (first, second)
        rule, other = (context.texts("rule", rule=each, entity=one.entity) for each in (one.rule, one.other))
        words = {"rule": rule, "other": other}
        writer.add(f"{prefix}.rule", rule, "name", "rule.name", words=words)
        writer.add(f"{prefix}.other.rule", other, "name", "rule.name", words={"rule": other})
        writer.add(f"{prefix}.findings", one.findings, "findings", "rule.findings", words=words)
        writer.add(f"{prefix}.other_findings", one.other_findings, "findings", "rule.findings", words={"rule": other})
        writer.add(f"{prefix}.least", one.least, "records", "together.least", words=words)


def _add_stretches(context: Context) -> None:
    material, writer = context.material, context.writer
    windows = {entity: material.windows[entity] for entity in context.contracts if material.windows.get(entity)}
    for number, one in enumerate(stretches(context.contracts, windows, material.window_seconds)[:MOST], 1):
        prefix = f"stretch.{number}"
        context.facts.stretches.append(prefix)
        context.facts.related[prefix] = (names.rule_prefix(one.entity, one.rule),)
        rule = context.texts("rule", rule=one.rule, entity=one.entity)
        words = {"rule": rule}
        writer.add(f"{prefix}.rule", rule, "name", "rule.name", words=words)
        writer.add(f"{prefix}.start", one.start, "moment", "stretch.start", words=words)
        writer.add(f"{prefix}.end", one.end, "moment", "stretch.end", words=words)
        writer.add(f"{prefix}.findings", one.findings, "findings", "stretch.findings", words=words)
        writer.add(f"{prefix}.records", one.records, "records", "stretch.records", words=words)
        writer.add(f"{prefix}.there", one.findings / one.records, "share", "stretch.there", words=words)
        elsewhere = one.findings_elsewhere
        writer.add(f"{prefix}.findings_elsewhere", elsewhere, "findings", "stretch.findings_elsewhere", words=words)
        writer.add(f"{prefix}.records_elsewhere", one.records_elsewhere, "records", "stretch.records_elsewhere", words=words)
        writer.add(f"{prefix}.elsewhere", elsewhere / one.records_elsewhere, "share", "stretch.elsewhere", words=words)


def _add_cascades(context: Context) -> None:
    """Add the rules of references that find more than before while more of the referenced records are rejected.

    Which record a rejected one belongs to is not stored: so it is a possibility, with both rises tested.
    """
    if context.before is None:
        return
    pairs = [
        (entity, rule, there)
        for entity, contract in context.contracts.items()
        for rule, there in contract.rules_of_references.items()
        if there in context.contracts and rule in contract.rules
    ]
    for entity, rule, there in pairs:
        now, before = context.counts[entity], context.before[entity]
        other, other_before = context.counts[there], context.before[there]
        findings, findings_before = now.findings.get(rule, 0), before.findings.get(rule, 0)
        if findings < FEWEST or other.rejected < FEWEST:
            continue
        chances = [
            chance_of_more(findings, _judged(now), findings_before, _judged(before)),
            chance_of_more(other.rejected, _judged(other), other_before.rejected, _judged(other_before)),
        ]
        if max(chances) * 2 * len(pairs) > CHANCE:
            continue
        prefix = f"cascade.{len(context.facts.cascades) + 1}"
        context.facts.cascades.append(prefix)
        context.facts.related[prefix] = (names.rule_prefix(entity, rule),)
        named = context.texts("rule", rule=rule, entity=entity)
        writer, words = context.writer, {"rule": named, "entity": names.entity_name(there, context.texts)}
        writer.add(f"{prefix}.rule", named, "name", "rule.name", words=words)
        writer.add(f"{prefix}.of", words["entity"], "name", "entity.name")
        writer.compare(
            f"{prefix}.findings", (findings, findings_before), "findings", "difference", "rule.findings", words=words
        )
        rejected = (other.rejected, other_before.rejected)
        writer.compare(f"{prefix}.rejected", rejected, "records", "difference", "entity.rejected", words=words)


def _judged(counts: Counts) -> int:
    return max(0, counts.clean + counts.rejected)
