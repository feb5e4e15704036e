"""Facts about changes of the input: repairs that rise, and optional fields that are missing more often."""

from __future__ import annotations

from reporter import names
from reporter.context import Context
from stream_app.views.period import rising_nulls, rising_repairs

#: Maximum number of each in a report; facts beyond it would only cost tokens.
MOST_REPAIRS, MOST_MISSING = 4, 4


def add_repairs(context: Context) -> None:
    """Add the repairs that rise most."""
    if context.before is None:
        return
    rows = [
        (previous - count, entity, repair, count, previous)
        for entity in context.contracts
        for repair, count, previous in rising_repairs(context.counts[entity], context.before[entity])
    ]
    for _, entity, repair, count, previous in sorted(rows)[:MOST_REPAIRS]:
        if repair.partition(".")[0] not in {one.name for one in context.contracts[entity].fields}:
            continue
        prefix = f"repair.{names.part_of_id(entity)}.{names.part_of_id(repair)}"
        context.facts.repairs.append(prefix)
        name = context.texts("rule", rule=repair, entity=entity)
        words = {"repair": name}
        context.writer.add(f"{prefix}.name", name, "name", "repair.name", words=words)
        values = (count, previous)
        context.writer.compare(f"{prefix}.count", values, "records", "difference", "repair.count", "lower", words=words)


def add_missing(context: Context) -> None:
    """Add the optional fields whose share of missing values rises most."""
    if context.before is None:
        return
    for row in rising_nulls(context.contracts, context.counts, context.before)[:MOST_MISSING]:
        prefix = f"missing.{names.part_of_id(row.entity)}.{names.part_of_id(row.field)}"
        context.facts.missing.append(prefix)
        name = context.texts("rule", rule=row.field, entity=row.entity)
        words = {"field": name}
        context.writer.add(f"{prefix}.name", name, "name", "missing.name", words=words)
        context.writer.add(f"{prefix}.count", row.count, "records", "missing.count", "lower", words=words)
        shares = (row.share, row.before)
        context.writer.compare(f"{prefix}.share", shares, "share", "points", "missing.share", "lower", words=words)
