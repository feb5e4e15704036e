"""The head of a cause's page, what belongs to the same cause, and the words where there is no such incident."""

from __future__ import annotations

import streamlit as st

from dashboard import data
from dashboard.parts.causes import PAGE, details
from dashboard.parts.live import quiet
from dashboard.text import formats, incidents, local, markup
from dashboard.text.advice import what_to_do
from stream_app.contract.money import in_units
from stream_app.contract.planned import during
from stream_app.monitor.causes import Cause, title
from stream_app.monitor.headline import share as share_of
from stream_app.monitor.headline import short_money
from stream_app.views.incidents import IncidentView


def no_such_incident() -> None:
    """Say that no incident has the id, and where all are."""
    st.header("No such incident", anchor=False)
    markup.show(markup.data("It is not among the newest 1,000 any more, or the address is incomplete."))
    markup.show(markup.tag("a", "All incidents", href=PAGE, target="_self"))


def cause_head(view: IncidentView, cause: Cause) -> None:
    """Draw the title of a cause, its state and its figures."""
    lead, currency = cause.lead, view.currency
    state = "open" if cause.is_open else incidents.OUTCOMES.get(lead.outcome, "closed")
    facts: dict[str, markup.Part] = {
        "Money": _money(cause, currency),
        "Affected": formats.percent(share_of(lead), 0) + " of what is expected" if lead.unit != "share" else None,
        "Worst window": incidents.reading(lead, currency),
        "Added up": incidents.added_up(lead, currency),
        "Windows": incidents.windows(lead),
        "Stands out": markup.data(incidents.segment(lead)) if lead.segment is not None else None,
        "What to do": incidents.advice(lead),
        "Planned then": _planned(cause),
        "Judged until": formats.moment(view.monitored.until * 1_000) if view.monitored is not None else None,
    }
    pills = (markup.pill(cause.severity, cause.severity), " ", markup.pill(state, "" if cause.is_open else "good"))
    heading = markup.tag("h2", markup.data(title(cause, currency, local.zone().info)), cls="cause")
    markup.show(markup.join(heading, markup.tag("p", *pills), markup.facts(facts)))


def _planned(cause: Cause) -> markup.Html | None:
    """The planned events of the time, as this dashboard's calendar has them."""
    planned = data.planned()
    found = () if isinstance(planned, data.Down) else during(planned, cause.lead.entity, cause.start, cause.end)
    return markup.data(", ".join(f"{one.name} ({one.kind})" for one in found)) if found else None


def _money(cause: Cause, currency: str | None) -> str | None:
    if cause.effect is None:
        return None
    amount = short_money(abs(in_units(cause.effect, currency)), currency)
    if cause.effect < 0:
        return f"about {amount} less revenue than expected"
    return f"about {amount} more than expected; in doubt until the cause is known"


def cause_belongs(view: IncidentView, cause: Cause) -> None:
    """Draw the other incidents of a cause, and its rules."""
    st.header("Of the same cause", anchor=False)
    if cause.details:
        markup.show(details(cause, view.currency))
    else:
        quiet("No other incident began at that time.")
    for rule_id in sorted({one.metric.partition(":")[2] for one in cause.all if one.metric.startswith("finding:")}):
        rule = view.contract.rules.get(rule_id) if view.contract is not None else None
        shown: dict[str, markup.Part] = {
            "Finds": markup.data(rule.message) if rule is not None else None,
            "Why it matters": markup.data(rule.impact) if rule is not None and rule.impact else None,
            "What to do": what_to_do(rule_id, rule),
        }
        markup.show(markup.join(markup.tag("h3", "Rule ", markup.code(rule_id)), markup.facts(shown)))
