"""Causes of incidents on a page: titles that lead to their own page, with their details folded below."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from dashboard.text import incidents, local, markup
from stream_app.monitor.causes import Cause, title
from stream_app.monitor.headline import headline

#: Address of the page of one incident, relative to every page.
PAGE = "incident"


def link(cause: Cause, currency: str | None) -> markup.Html:
    """Return the title of a cause as a link to its page."""
    address = f"{PAGE}?id={quote(cause.lead.id, safe='')}"
    return markup.tag("a", markup.data(title(cause, currency, local.zone().info)), href=address, target="_self")


def cause_list(rows: Sequence[Cause], currency: str | None, more: int = 0) -> None:
    """Draw causes one below the other, the worst first. ``more``: number of those that are not in the list."""
    items = [
        markup.tag("li", markup.pill(row.severity, row.severity), markup.tag("div", link(row, currency), _under(row, currency)))
        for row in rows
    ]
    rest = markup.tag("li", f"and {more} more", cls="quiet") if more > 0 else None
    if items:
        markup.show(markup.tag("ul", *items, rest, cls="news"))


def details(cause: Cause, currency: str | None) -> markup.Html:
    """Return the other incidents of a cause as a list."""
    rows = [
        markup.tag(
            "li", markup.data(headline(one, currency, local.zone().info)), markup.tag("span", f" ({one.severity})", cls="quiet")
        )
        for one in cause.details
    ]
    return markup.tag("ul", *rows, cls="details")


def _under(row: Cause, currency: str | None) -> markup.Html:
    quiet = markup.tag("div", incidents.brief(row.lead, currency), cls="quiet")
    if not row.details:
        return quiet
    number = len(row.details)
    summary = markup.tag("summary", f"{number} more {'incident' if number == 1 else 'incidents'} of this cause")
    return markup.join(quiet, markup.tag("details", summary, details(row, currency), cls="folded"))
