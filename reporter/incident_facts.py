"""Facts about incidents, the most severe first."""

from __future__ import annotations

from reporter import names
from reporter.context import Context
from stream_app.monitor.acts import life_of_cause
from stream_app.monitor.causes import cause_of, causes
from stream_app.monitor.incident import Incident

#: Maximum number of incidents in a report; facts beyond it would only cost tokens.
MOST_INCIDENTS = 8
#: Metrics whose incidents make the revenue doubtful if they are too high.
DOUBTFUL = frozenset({"revenue", "average_order"})

#: Metric → the two figures of an incident's segment (see ``stream_app.monitor.incident``).
_SEGMENT_FIGURES = {"volume": ("reached", "reached_elsewhere"), "mix": ("part", "part_before")}
_SHARES = ("there", "elsewhere")


def add_incidents(context: Context) -> None:
    """Add the number of incidents and the most severe ones."""
    found = sorted(
        context.material.incidents, key=lambda one: (one.severity != "error", one.state != "open", -one.windows, one.id)
    )
    context.writer.add("incidents.all", len(found), "incidents", better="lower")
    context.writer.add("incidents.open", sum(one.state == "open" for one in found), "incidents", better="lower")
    context.writer.add("incidents.judged", context.material.judged, "moment")
    for number, incident in enumerate(found[:MOST_INCIDENTS], 1):
        _add_incident(context, number, incident)


def _add_incident(context: Context, number: int, one: Incident) -> None:
    texts, writer = context.texts, context.writer
    prefix = f"incident.{number}"
    context.facts.incidents.append(prefix)
    contract = context.contracts.get(one.entity)
    kind, _, rule = one.metric.partition(":")
    related = f"rule.{names.part_of_id(one.entity)}.{names.part_of_id(rule)}"
    if kind == "finding" and related in context.facts.rules:
        context.facts.related[prefix] = related
    name = names.incident_name(one.entity if contract else "–", contract, one.metric, texts)
    words = {"incident": name}
    unit = _unit(context, one)
    writer.add(f"{prefix}.name", name, "name", "incident.name", words=words)
    for figure, value in (("observed", one.observed), ("expected", one.expected), ("low", one.low), ("high", one.high)):
        writer.add(f"{prefix}.{figure}", value, unit, f"incident.{figure}", words=words)
    if one.expected:
        deviation = (one.observed - one.expected) / abs(one.expected)
        writer.add(f"{prefix}.deviation", deviation, "relative", "incident.deviation", words=words)
    writer.add(f"{prefix}.start", one.start, "moment", "incident.start", words=words)
    writer.add(f"{prefix}.end", one.end, "moment", "incident.end", words=words)
    writer.add(f"{prefix}.windows", one.windows, "windows", "incident.windows", words=words)
    state = one.outcome if one.state == "closed" and texts.has("states", one.outcome) else one.state
    for figure, table, word in (("state", "states", state), ("direction", "directions", one.direction)):
        if texts.has(table, word):
            writer.add(f"{prefix}.{figure}", texts(table, word), "name", f"incident.{figure}", words=words)
    cause = cause_of(causes(context.material.incidents), one.id)
    life = life_of_cause([one.id] if cause is None else [each.id for each in cause.all], context.material.acts)
    if texts.has("lives", life.state):
        writer.add(f"{prefix}.life", texts("lives", life.state), "name", "incident.life", words=words)
        # The name of a person: a model does not get it.
        writer.add(f"{prefix}.by", life.by, "name", "incident.by", person=True, words=words)
        writer.add(f"{prefix}.acted", life.at // 1_000, "moment", "incident.acted", words=words)
    if life.owner:
        writer.add(f"{prefix}.owner", life.owner, "name", "incident.owner", person=True, words=words)
    if one.entity == context.sales and one.metric in DOUBTFUL and one.direction == "high":
        context.facts.doubts.append(prefix)
    if one.segment and contract and one.segment[0] in contract.segments:
        _add_segment(context, number, one, one.segment, words)


def _add_segment(
    context: Context, number: int, one: Incident, segment: tuple[str, str, float, float], words: dict[str, str]
) -> None:
    prefix, (field, value, there, elsewhere) = f"incident.{number}", segment
    hidden = names.is_hidden(context.material.contracts, one.entity, field, value)
    name = names.segment_name(field, value, number, context.texts, hidden=hidden)
    context.writer.add(f"{prefix}.segment", name, "name", "incident.segment", words=words)
    figures = _SEGMENT_FIGURES.get(one.metric.partition(":")[0], _SHARES)
    for figure, share in zip(figures, (there, elsewhere), strict=True):
        context.writer.add(f"{prefix}.{figure}", share, "share", f"incident.{figure}", words=words)


def _unit(context: Context, one: Incident) -> str:
    if one.unit == "money":
        return context.money
    if one.unit in {"share", "score"}:
        return "share"
    return "findings" if one.metric.startswith("finding:") else "records"
