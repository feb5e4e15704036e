"""Facts about incidents, the most severe first."""

from __future__ import annotations

from reporter import names
from reporter.context import Context
from reporter.formats import same_day
from reporter.incident_words import advice, say
from stream_app.contract.money import minor_units
from stream_app.monitor.acts import Life, life_of_cause
from stream_app.monitor.causes import Cause, causes
from stream_app.monitor.headline import added
from stream_app.monitor.incident import Incident
from stream_app.views.incidents import open_causes

#: Maximum number of incidents in a report; facts beyond it would only cost tokens.
MOST_INCIDENTS = 8
#: Metrics whose incidents make the revenue doubtful if they are too high.
DOUBTFUL = frozenset({"revenue", "average_order"})

#: Money of an incident that is less than this part of the period's revenue is not worth a word.
LEAST_MONEY = 0.001
#: Metric → the two figures of an incident's segment (see ``stream_app.monitor.incident``).
_SEGMENT_FIGURES = {"volume": ("reached", "reached_elsewhere"), "mix": ("part", "part_before")}
_SHARES = ("there", "elsewhere")


def add_incidents(context: Context) -> None:
    """Add the number of incidents and the most severe ones: incidents of one cause are one incident."""
    acts = context.material.acts
    found = [(one, life_of_cause([each.id for each in one.all], acts)) for one in causes(context.material.incidents)]
    # As the status line of every page has them; what people have settled comes last.
    found.sort(key=lambda row: (row[1].settled, row[0].severity != "error", not row[0].is_open))
    context.writer.add("incidents.all", len(found), "incidents", better="lower")
    still_open = sum(one.is_open for one, _ in found)
    context.writer.add("incidents.open", still_open, "incidents", better="lower")
    # What the band looks at.
    unsettled = open_causes(context.material.incidents, acts)
    if unsettled < still_open:
        context.writer.add("incidents.unsettled", unsettled, "incidents", better="lower")
    context.writer.add("incidents.judged", context.material.judged, "moment")
    context.facts.unjudged = context.material.judged is None or context.material.judged < context.material.end
    for number, (cause, life) in enumerate(found[:MOST_INCIDENTS], 1):
        _add_incident(context, number, cause, life)


def _add_incident(context: Context, number: int, cause: Cause, life: Life) -> None:
    texts, writer, one = context.texts, context.writer, cause.shown
    prefix = f"incident.{number}"
    context.facts.incidents.append(prefix)
    if not life.settled and (cause.is_open or cause.severity == "error"):
        context.facts.leading.append(prefix)
    contract = context.contracts.get(one.entity)
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
    if same_day(one.start, one.end, texts):
        writer.add(f"{prefix}.until", one.end, "time", "incident.until", words=words)
    writer.add(f"{prefix}.windows", one.windows, "windows", "incident.windows", words=words)
    state = one.outcome if one.state == "closed" and texts.has("states", one.outcome) else one.state
    for figure, table, word in (("state", "states", state), ("direction", "directions", one.direction)):
        if texts.has(table, word):
            writer.add(f"{prefix}.{figure}", texts(table, word), "name", f"incident.{figure}", words=words)
    _add_life(context, prefix, life, words)
    doubtful = one.entity == context.sales and one.metric in DOUBTFUL and one.direction == "high"
    if doubtful:
        context.facts.doubts.append(prefix)
    context.facts.words[prefix] = say(context, prefix, one, name)
    context.facts.actions[prefix] = advice(context, cause, doubtful=doubtful)
    if cause.reason is not None:
        its = names.incident_name(one.entity if contract else "–", contract, cause.reason.metric, texts)
        key = say(context, f"{prefix}.reason", cause.reason, its)
        if key != "other":
            context.facts.words[f"{prefix}.reason"] = key
    _add_sums(context, prefix, one, unit, words)
    _add_money(context, prefix, one, words)
    if one.segment is not None:
        _add_segment(context, number, one, one.segment, words)
    context.facts.related[prefix] = _related(context, cause)


def _add_life(context: Context, prefix: str, life: Life, words: dict[str, str]) -> None:
    texts, writer = context.texts, context.writer
    if texts.has("lives", life.state):
        writer.add(f"{prefix}.life", texts("lives", life.state), "name", "incident.life", words=words)
        # The name of a person: a model does not get it.
        writer.add(f"{prefix}.by", life.by, "name", "incident.by", person=True, words=words)
        writer.add(f"{prefix}.acted", life.at // 1_000, "moment", "incident.acted", words=words)
    if life.owner:
        writer.add(f"{prefix}.owner", life.owner, "name", "incident.owner", person=True, words=words)


def _add_sums(context: Context, prefix: str, one: Incident, unit: str, words: dict[str, str]) -> None:
    """Add what a cumulative alarm adds up: one window alone may be within its range."""
    found = added(one)
    if found is None:
        return
    windows, observed, expected = found
    writer = context.writer
    writer.add(f"{prefix}.sum_windows", windows, "windows", "incident.sum_windows", words=words)
    writer.add(f"{prefix}.sum_observed", observed, unit, "incident.sum_observed", words=words)
    writer.add(f"{prefix}.sum_expected", expected, unit, "incident.sum_expected", words=words)


def _add_money(context: Context, prefix: str, one: Incident, words: dict[str, str]) -> None:
    """Add the revenue of its windows that never came, or that is too much."""
    revenue = 0 if context.sales is None else context.counts[context.sales].revenue_minor
    if (
        one.effect is None
        or not context.currency
        or abs(one.effect) < max(minor_units(context.currency), LEAST_MONEY * revenue)
    ):
        return
    figure = "below" if one.effect < 0 else "above"
    context.writer.add(
        f"{prefix}.{figure}", round(abs(one.effect)), f"about:{context.currency}", f"incident.{figure}", words=words
    )


def _related(context: Context, cause: Cause) -> tuple[str, ...]:
    """Return the prefixes of the rules that a cause is about."""
    found: dict[str, None] = {}
    for one in cause.all:
        kind, _, rest = one.metric.partition(":")
        field, _, how = rest.rpartition(":")
        rules = {"finding": (rest,), "drift": (f"{field}.required", f"{field}.type")}.get(kind, ())
        if kind == "drift" and how == "appeared":
            rules = ("record.unknownField",)
        for rule in (names.rule_prefix(one.entity, each) for each in rules):
            found |= dict.fromkeys([rule, *context.facts.related.get(rule, ())])
    return tuple(one for one in found if one in context.facts.rules)


def _add_segment(
    context: Context, number: int, one: Incident, segment: tuple[str, str, float, float], words: dict[str, str]
) -> None:
    prefix, (field, value, there, elsewhere) = f"incident.{number}", segment
    name = names.segment_name(context.material.contracts, one.entity, field, value, context.texts)
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
