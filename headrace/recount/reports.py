"""Compare the facts of reports, and the windows of incidents, with a recount."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from headrace.recount.compare import Comparison
from headrace.recount.figures import Period, Truth
from reporter.formats import shown_share
from reporter.names import part_of_id
from reporter.texts import texts as texts_of
from stream_app.contract.summary import orders_are_distinct
from stream_app.monitor.incident import Incident
from stream_app.store.queries import Queries
from stream_app.store.reports import StoredReport

#: Facts that are not counted from records: names, times, the pipeline's state, what the monitor said, means of other weeks.
NOT_COUNTED = ("period.", "previous.", "health.", "incident.", "incidents.", "usual.", "segment.")
_ENDS = (".previous", ".change", ".usual", ".name", ".meaning", ".impact", ".dimension")


def compare_reports(into: Comparison, truth: Truth, queries: Queries) -> None:
    """Compare the facts of every report that is kept; what a report says in words are references to them."""
    for report in queries.reports(limit=200):
        _report(into, truth, report)


def _report(into: Comparison, truth: Truth, report: StoredReport) -> None:
    page, facts = f"report {report.id}", report.facts
    # A provisional report is about the complete part of its period.
    now, then = truth.period(facts["period.start"]["value"], facts["period.end"]["value"]), None
    if "previous.start" in facts:
        then = truth.period(facts["previous.start"]["value"], facts["previous.end"]["value"])
    counted, before = _figures(now, facts), _figures(then, facts) if then is not None else {}
    unsettled = facts.get("incidents.unsettled", facts["incidents.open"])
    if (band := now.band(unsettled["value"])) is not None:
        counted["all.band"] = texts_of(report.language)("bands", band)
    for fact_id, fact in facts.items():
        if fact_id.startswith(NOT_COUNTED) or fact_id.endswith(_ENDS):
            continue
        # Value at risk is called an estimate where records count at an average; the figure itself is exact.
        estimated = fact_id.startswith("sales.") and str(fact["rendering"]).startswith("≈")
        into.same(page, fact_id, fact["value"], counted.get(fact_id, "not counted"), estimated=estimated)
        if then is not None and (previous := facts.get(f"{fact_id}.previous")) is not None:
            into.same(page, f"{fact_id}.previous", previous["value"], before.get(fact_id, 0), estimated=estimated)
            _change(into, page, fact_id, facts, (counted.get(fact_id), before.get(fact_id, 0)), estimated=estimated)
    for prefix in sorted({fact_id.rpartition(".")[0] for fact_id in facts if fact_id.startswith("segment.")}):
        _segment(into, page, prefix, facts, now)


def _change(
    into: Comparison, page: str, fact_id: str, facts: Mapping[str, Any], values: tuple[Any, Any], *, estimated: bool
) -> None:
    change, (now, before) = facts.get(f"{fact_id}.change"), values
    if change is None or estimated or not isinstance(now, int | float):
        return
    true = now - before
    if change["unit"] == "points":
        true = shown_share(now) - shown_share(before)
    elif change["unit"] == "relative":
        true = (now - before) / before if before else float("nan")
    into.same(page, f"{fact_id}.change", change["value"], true)


def _figures(now: Period, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return fact id → what was counted."""
    found: dict[str, Any] = {
        "all.records": now.count("received"),
        "all.conformity": now.conformity(),
        "all.valid": now.valid(),
        "all.target": now.target(),
        "all.findings": now.findings(),
        "all.rejected": now.count("rejected"),
        "all.late": now.count("late"),
        "all.at_risk": now.at_risk()[0],
        "all.unvalued": sum(now.sums[one]["unvalued"] for one in now.sums if now.truth.shop.contracts[one].revenue),
        "sales.revenue": now.sold["revenue"],
        "sales.orders": now.orders,
        "sales.cancelled": now.sold["cancelled"],
        "sales.customers": now.customers,
        "sales.visits": now.visits,
        "sales.conversion": now.conversion,
        "sales.average": now.average,
        "sales.doubted": now.sold["doubted"],
        "sales.doubted_revenue": now.sold["doubted_revenue"],
    }
    for fact_id in facts:
        if fact_id.startswith("dimension.") and fact_id.count(".") == 1:
            found[fact_id] = now.valid(None, fact_id.partition(".")[2])
    for entity, part in now.sums.items():
        found |= dict(_of_entity(now, entity))
        for repair, number in part.named("repair").items():
            found[f"repair.{part_of_id(entity)}.{part_of_id(repair)}.count"] = number
        judged = part["clean"] + part["rejected"]
        for field, number in part.named("null").items():
            prefix = f"missing.{part_of_id(entity)}.{part_of_id(field)}"
            found |= {f"{prefix}.count": number, f"{prefix}.share": number / judged if judged else 0.0}
    return found


def _of_entity(now: Period, entity: str) -> Iterator[tuple[str, Any]]:
    part, prefix = now.sums[entity], f"entity.{part_of_id(entity)}"
    yield f"{prefix}.records", part["received"]
    for name in ("clean", "rejected", "deleted"):
        yield f"{prefix}.{name}", part[name]
    yield f"{prefix}.pending", 0
    yield f"{prefix}.conformity", now.conformity(entity)
    yield f"{prefix}.valid", now.valid(entity)
    records, findings = part["received"] - part["deleted"], now.findings()
    for rule in now.truth.shop.contracts[entity].rules:
        number, of_rule = part["finding", rule], f"rule.{part_of_id(entity)}.{part_of_id(rule)}"
        yield f"{of_rule}.findings", number
        yield f"{of_rule}.share", number / records if records else 0.0
        yield f"{of_rule}.part", number / findings if findings else 0.0
        yield f"{of_rule}.at_risk", now.risk_of(entity, rule)


def _segment(into: Comparison, page: str, prefix: str, facts: Mapping[str, Any], now: Period) -> None:
    """Compare a segment that stands out: its four counts must be those of some rule and value of the period."""
    names = ("findings", "records", "findings_elsewhere", "records_elsewhere")
    shown = tuple(facts[f"{prefix}.{name}"]["value"] for name in names)
    known = any(_fits(shown, one) for one in _sides(now))
    into.same(page, prefix, shown, shown if known else "no segment has these counts")
    findings, records, others, elsewhere = shown
    rows = {"there": findings / records, "elsewhere": others / elsewhere, "part": findings / (findings + others)}
    if f"{prefix}.ratio" in facts:
        rows["ratio"] = min(1.0, rows["there"]) / min(1.0, rows["elsewhere"])
    for name, counted in rows.items():
        into.same(
            page, f"{prefix}.{name}", facts[f"{prefix}.{name}"]["value"], min(1.0, counted) if name != "ratio" else counted
        )


#: (count, how much more it may be) of findings and records in a segment, and elsewhere.
_Side = tuple[tuple[int, int], ...]


def _sides(now: Period) -> Iterator[_Side]:
    for entity, contract in now.truth.shop.contracts.items():
        for field in contract.segments:
            values = now.segment(entity, field)
            for rule in contract.rules:
                both = [(one.get(rule, (0, 0)), one.get("received", (0, 0))) for one in values.values()]
                for number, (found, received) in enumerate(both):
                    others = [one for at, one in enumerate(both) if at != number]
                    yield found, received, _sum(one[0] for one in others), _sum(one[1] for one in others)


def _sum(rows: Iterable[tuple[int, int]]) -> tuple[int, int]:
    least, possible = zip(*rows, strict=True) if (rows := list(rows)) else ((), ())
    return sum(least), sum(possible)


def _fits(shown: tuple[int, ...], counted: _Side) -> bool:
    return all(least <= one <= least + possible for one, (least, possible) in zip(shown, counted, strict=True))


def compare_incidents(into: Comparison, truth: Truth, queries: Queries) -> None:
    """Compare what incidents observed in each window of their trail with the records of that window.

    The monitor judges a window once, so records that came later are left out: windows with such are not compared.
    """
    for one in queries.incidents(limit=1_000):
        for start, observed, *_ in one.trail:
            now = truth.period(start, start + one.grain.seconds)
            counted = _observed(one, now)
            if counted is not None and not now.sums[one.entity]["late"]:
                into.same(f"incident {one.id}", f"observed at {start}", observed, float(f"{counted:.6g}"))


def _observed(incident: Incident, now: Period) -> float | None:
    """Return the metric of one window; None of metrics that are over several windows, or not a count of records."""
    part, (kind, _, rest) = now.sums[incident.entity], incident.metric.partition(":")
    judged = part["clean"] + part["rejected"]
    match kind:
        case "volume":
            return part["received"] - part["deleted"]
        case "revenue":
            return part["revenue"]
        case "average_order" if not orders_are_distinct(now.truth.shop.contracts[incident.entity]):
            return part["revenue"] / part["sold"] if part["sold"] else None
        case "conformity":
            return part["clean"] / judged if judged else None
        case "finding":
            return part["finding", rest] / judged if judged else None
    return None
