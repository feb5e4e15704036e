"""Findings over time: of all rules, stacked, and of one rule."""

from __future__ import annotations

import json
from collections.abc import Sequence

import altair as alt

from dashboard.charts.axes import LINK, ROWS, Figure, bar_ends, bar_link, limits, number_axis, times, x_axis
from dashboard.charts.drawing import Drawing, Rows, kept, template
from dashboard.text import addresses
from dashboard.text.formats import bar_period
from stream_app.views.breakdown import RuleCount
from stream_app.views.figures import FindingsPoint

#: Number of rules with a colour of their own; the others are drawn together.
NAMED_RULES = 5
OTHERS = "all other rules"

#: One column of names on a phone, two if there is room; a name wider than its column is cut.
_LEGEND = alt.Legend(
    columns=alt.ExprRef("width > 380 ? 2 : 1"), labelLimit=alt.ExprRef("width > 380 ? width / 2 - 40 : width - 30")
)


def named_rules(rules: Sequence[RuleCount], before: Sequence[str] = ()) -> list[str]:
    """Return the rules that get a colour: those with most findings. A rule of ``before`` keeps its position, so its colour."""
    names = labels(rules)
    top = [names[row.entity, row.rule] for row in rules[:NAMED_RULES]]
    positions: list[str | None] = [name if name in top else None for name in before[:NAMED_RULES]]
    positions += [None] * (len(top) - len(positions))
    fresh = iter(name for name in top if name not in positions)
    return [name for name in (kept or next(fresh, None) for kept in positions) if name is not None]


def labels(rules: Sequence[RuleCount]) -> dict[tuple[str, str], str]:
    """Return each rule's label: its id, with the entity if several entities have findings of that id."""
    entities: dict[str, set[str]] = {}
    for row in rules:
        entities.setdefault(row.rule, set()).add(row.entity)
    return {(row.entity, row.rule): f"{row.rule} ({row.entity})" if len(entities[row.rule]) > 1 else row.rule for row in rules}


@kept
def findings_over_time(
    series: Sequence[FindingsPoint],
    rules: Sequence[RuleCount],
    starts: Sequence[int],
    bar_seconds: int,
    named: Sequence[str],
) -> Drawing:
    """Draw findings stacked by rule; the rules of ``named`` in their own colours, the others together in grey."""
    names = labels(rules)
    counted: dict[tuple[int, str], int] = {}
    for point in series:
        name = names.get((point.entity, point.rule), OTHERS)
        key = (point.start, name if name in named else OTHERS)
        counted[key] = counted.get(key, 0) + point.count
    domain = [*named, *([OTHERS] if any(name == OTHERS for _, name in counted) else [])]
    # Zeros at both ends give the chart the same time axis as the others.
    for edge in (starts[0], starts[-1]) if starts and domain else ():
        counted.setdefault((edge, domain[0]), 0)
    rows = sorted(counted.items())
    drawn = Rows(
        {
            "start": times([start for (start, _), _ in rows]),
            "end": bar_ends([start for (start, _), _ in rows], bar_seconds),
            "period": [bar_period(start, bar_seconds) for (start, _), _ in rows],
            "rule": [name for (_, name), _ in rows],
            "rank": [domain.index(name) for (_, name), _ in rows],
            "findings": [count for _, count in rows],
        }
    )
    return Drawing(_stacked(bar_seconds, limits(starts), tuple(domain), _choices(rules, domain)), rows=drawn)


@template
def _stacked(bar_seconds: int, starts: tuple[float, ...], names: tuple[str, ...], choices: str) -> Figure:
    domain = list(names)
    return (
        alt.Chart(ROWS, height=310, transform=[bar_link("anomalies", choices)])
        .mark_bar(aria=False, cursor="pointer")
        .encode(
            x=x_axis(bar_seconds, starts),
            x2=alt.X2("end:T"),
            y=number_axis("findings", "Findings", stack="zero"),
            color=alt.Color("rule:N", scale=alt.Scale(domain=domain), sort=domain, legend=_LEGEND),
            order=alt.Order("rank:Q"),
            href=alt.Href(LINK),
            tooltip=[
                alt.Tooltip("period:N", title="Period"),
                alt.Tooltip("rule:N", title="Rule"),
                alt.Tooltip("findings:Q", title="Findings", format=",d"),
            ],
        )
    )


def _choices(rules: Sequence[RuleCount], domain: Sequence[str]) -> str:
    """Return the Vega expression of the rest of a bar's address: the filter of its rule."""
    named = {of: label for of, label in labels(rules).items() if label in domain}
    queries = {label: _filter(entity, rule) for (entity, rule), label in named.items()}
    return f"({json.dumps(queries)}[datum.rule] || '')"


def _filter(entity: str, rule: str) -> str:
    return addresses.link("", {"entity": entity, "rule": rule}).replace("?", "&")


@kept
def rule_over_time(series: Sequence[FindingsPoint], entity: str, rule: str, starts: Sequence[int], bar_seconds: int) -> Drawing:
    """Draw the findings of one rule, a bar for each part of the range, zeros included."""
    counted = {point.start: point.count for point in series if (point.entity, point.rule) == (entity, rule)}
    drawn = Rows(
        {
            "start": times(starts),
            "end": bar_ends(starts, bar_seconds),
            "period": [bar_period(start, bar_seconds) for start in starts],
            "findings": [counted.get(start, 0) for start in starts],
        }
    )
    return Drawing(_single(bar_seconds, limits(starts), _filter(entity, rule)), rows=drawn)


@template
def _single(bar_seconds: int, starts: tuple[float, ...], choices: str) -> Figure:
    return (
        alt.Chart(ROWS, height=170, transform=[bar_link("anomalies", json.dumps(choices))])
        .mark_bar(aria=False, cursor="pointer")
        .encode(
            x=x_axis(bar_seconds, starts),
            x2=alt.X2("end:T"),
            y=number_axis("findings", "Findings"),
            href=alt.Href(LINK),
            tooltip=[alt.Tooltip("period:N", title="Period"), alt.Tooltip("findings:Q", title="Findings", format=",d")],
        )
    )
