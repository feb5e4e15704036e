"""Computes the facts of a period; those about rules, changes and incidents are in modules of their own. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from reporter import names
from reporter.change_facts import add_missing, add_repairs
from reporter.context import Context
from reporter.facts import Facts
from reporter.incident_facts import add_incidents
from reporter.insight_facts import add_insights
from reporter.material import Material
from reporter.rule_facts import add_rules, add_segments
from reporter.texts import Texts
from stream_app.counts.fields import Distinct
from stream_app.counts.summary import conformity, conversion_rate, orders_of, quality, visits_entity
from stream_app.store.period import PeriodCounts
from stream_app.views.band import band_of
from stream_app.views.incidents import open_causes
from stream_app.views.totals import Totals, at_risk_changed, average_order, totals_of


def compute(material: Material, texts: Texts) -> Facts:
    """Compute the facts of a period in the language of ``texts``; pure.

    The same material gives the same facts in the same order.
    """
    context = Context.of(material, texts)
    totals = totals_of(context.contracts, context.counts)
    before = None if context.before is None else totals_of(context.contracts, context.before)
    _add_period(context)
    _add_totals(context, totals, before)
    for entity in context.contracts:
        _add_entity(context, entity)
    _add_sales(context)
    add_rules(context, totals.findings)
    add_segments(context)
    add_insights(context)
    add_incidents(context)
    add_repairs(context)
    add_missing(context)
    _add_usual(context)
    _add_health(context)
    return context.facts


def _add_period(context: Context) -> None:
    material, writer = context.material, context.writer
    writer.add("period.start", material.start, "moment")
    writer.add("period.end", material.end, "moment")
    writer.add("period.length", material.end - material.start, "length")
    if context.before is not None:
        writer.add("previous.start", material.previous.start, "moment")
        writer.add("previous.end", material.previous.end, "moment")


def _add_totals(context: Context, now: Totals, before: Totals | None) -> None:
    writer, texts = context.writer, context.texts
    writer.compare("all.records", (now.received, before.received if before else None), "records", "relative")
    shares = (now.conformity, before.conformity if before else None)
    writer.compare("all.conformity", shares, "share", "points", better="higher")
    valid = (now.quality.valid, before.quality.valid if before else None)
    writer.compare("all.valid", valid, "share", "points", better="higher")
    _add_verdict(context, now)
    findings = (now.findings, before.findings if before else None)
    writer.compare("all.findings", findings, "findings", "difference", better="lower")
    rejected = (now.rejected, before.rejected if before else None)
    writer.compare("all.rejected", rejected, "records", "difference", better="lower")
    if now.late > 0:
        writer.add("all.late", now.late, "records")
    if context.currency:
        _add_at_risk(context, now, before)
    _add_currencies(context, "all.at_risk", now.at_risk_by, before.at_risk_by if before else None, better="lower")
    if (context.currency or now.at_risk_by) and now.unvalued > 0:
        writer.add("all.unvalued", now.unvalued, "records")
    for name, share in now.quality.dimensions.items():
        words = {"name": texts("dimensions", name) if texts.has("dimensions", name) else name}
        previous = before.quality.dimensions.get(name) if before else None
        fact_id = f"dimension.{names.part_of_id(name)}"
        writer.compare(fact_id, (share, previous), "share", "points", "dimension", "higher", words=words)


def _add_at_risk(context: Context, now: Totals, before: Totals | None) -> None:
    """Add the value at risk: exact, but for records that count at an average."""
    values = (now.at_risk_minor, before.at_risk_minor if before else None)
    usual = now.usual_minor > 0, before is not None and before.usual_minor > 0
    context.writer.compare("all.at_risk", values, context.money, None, better="lower", estimated=usual)
    if before is not None and values[0] is not None and values[1] is not None and at_risk_changed(now, before):
        context.writer.change("all.at_risk", (values[0], values[1]), context.money, "relative", "lower")


def _add_verdict(context: Context, now: Totals) -> None:
    material = context.material
    band = band_of(now.quality, None, open_causes(material.incidents, material.acts))
    if band is not None:
        context.writer.add("all.band", context.texts("bands", band), "name")
        context.writer.add("all.target", now.quality.target, "share")


def _add_entity(context: Context, entity: str) -> None:
    writer = context.writer
    prefix = f"entity.{names.part_of_id(entity)}"
    context.facts.entities.append(prefix)
    now, before = context.counts_of(entity)
    words = {"entity": entity}
    writer.add(f"{prefix}.name", entity, "name", "entity.name")
    received = (now.received, before.received if before else None)
    writer.compare(f"{prefix}.records", received, "records", "relative", "entity.records", words=words)
    writer.add(f"{prefix}.clean", now.clean, "records", "entity.clean", words=words)
    rejected = (now.rejected, before.rejected if before else None)
    writer.compare(f"{prefix}.rejected", rejected, "records", "difference", "entity.rejected", "lower", words=words)
    writer.add(f"{prefix}.pending", now.pending, "records", "entity.pending", words=words)
    if now.deleted:
        writer.add(f"{prefix}.deleted", now.deleted, "records", "entity.deleted", words=words)
    shares = (conformity(now.clean, now.rejected), conformity(before.clean, before.rejected) if before else None)
    writer.compare(f"{prefix}.conformity", shares, "share", "points", "entity.conformity", "higher", words=words)
    contract = context.contracts[entity]
    valid = quality(contract, now).valid
    valid_before = quality(contract, before).valid if before else None
    writer.compare(f"{prefix}.valid", (valid, valid_before), "share", "points", "entity.valid", "higher", words=words)


def _add_sales(context: Context) -> None:
    if context.sales is None:
        return
    contract, writer = context.contracts[context.sales], context.writer
    now = context.material.counts[context.sales]
    before = None if context.before_periods is None else context.before_periods.get(context.sales, PeriodCounts())

    def orders(one: PeriodCounts | None) -> int | None:
        return None if one is None else orders_of(contract, one.counts, one.orders)

    def average(one: PeriodCounts | None) -> int | None:
        return None if one is None else average_order(one.counts.revenue_minor, orders(one) or 0)

    distinct = bool(contract.order) and not contract.order_unique

    def estimated(what: Distinct) -> tuple[bool, bool]:
        both = (now, before or PeriodCounts())
        return what in both[0].estimated, what in both[1].estimated

    by_order = estimated("orders") if distinct else (False, False)
    # Amounts of several currencies are never added up.
    summed = contract.currency is not None or not contract.by_currency
    if summed:
        revenue = (now.counts.revenue_minor, before.counts.revenue_minor if before else None)
        label = "sales.revenue_converted" if contract.rates else None
        words = {"currency": context.currency}
        writer.compare("sales.revenue", revenue, context.money, "relative", label, "higher", words=words)
        if now.counts.doubted > 0 and now.counts.doubted_minor > 0:
            writer.add("sales.doubted", now.counts.doubted, "records", better="lower")
            writer.add("sales.doubted_revenue", now.counts.doubted_minor, context.money, better="lower")
    then = before.counts.revenue_by if before else None
    _add_currencies(context, "sales.revenue", now.counts.revenue_by, then, better="higher")
    writer.compare("sales.orders", (orders(now), orders(before)), "orders", "relative", better="higher", estimated=by_order)
    if contract.selects_sales:
        cancelled = (now.counts.cancelled, before.counts.cancelled if before else None)
        writer.compare("sales.cancelled", cancelled, "records", "difference", better="lower")
    if contract.customer:
        customers = (now.customers, before.customers if before else None)
        writer.compare("sales.customers", customers, "customers", "relative", better="higher", estimated=estimated("customers"))
    _add_conversion(context, (orders(now) or 0, orders(before)), by_order)
    if summed:
        writer.compare("sales.average", (average(now), average(before)), context.money, "relative", estimated=by_order)


def _add_conversion(context: Context, orders: tuple[int, int | None], estimated: tuple[bool, bool]) -> None:
    """Add visits, and orders ÷ visits, where a contract names visits."""
    visits = visits_entity(context.contracts)
    if visits is None:
        return
    now, before = context.counts_of(visits)
    context.writer.compare("sales.visits", (now.clean, before.clean if before else None), "visits", "relative", better="higher")
    then = None if before is None or orders[1] is None else conversion_rate(orders[1], before.clean)
    rates = conversion_rate(orders[0], now.clean), then
    context.writer.compare("sales.conversion", rates, "share", "points", better="higher", estimated=estimated)


def _add_usual(context: Context) -> None:
    usual, writer = context.material.usual, context.writer
    if usual is None:
        return
    for name, unit, value in (("revenue", context.money, usual.revenue_minor), ("orders", "orders", usual.orders)):
        fact = context.facts.all.get(f"sales.{name}")
        if fact is not None and value is not None:
            words = {"label": fact.label, "weeks": str(usual.weeks)}
            writer.add(f"sales.{name}.usual", round(value), unit, "usual", words=words)
    writer.add("usual.weeks", usual.weeks, "weeks")


def _add_currencies(
    context: Context, fact_id: str, now: Mapping[str, int], before: Mapping[str, int] | None, *, better: str
) -> None:
    """Add an amount for each currency, as ``<id>_<currency>``."""
    for currency, minor in sorted(now.items()):
        values = (minor, None if before is None else before.get(currency, 0))
        words = {"currency": currency}
        unit = f"money:{currency}"
        context.writer.compare(f"{fact_id}_{currency}", values, unit, "relative", f"{fact_id}_in", better, words=words)


def _add_health(context: Context) -> None:
    health, writer = context.material.health, context.writer
    writer.add("health.workers", health.workers, "workers")
    writer.add("health.lag", health.lag, "records", better="lower")
    writer.add("health.waiting", health.waiting, "records")
    writer.add("health.at", health.stream, "moment")
