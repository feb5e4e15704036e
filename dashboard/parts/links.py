"""Links from a figure down to the records that it counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import streamlit as st

from dashboard.text import addresses, markup


@dataclass(frozen=True, slots=True)
class Link:
    """A page with choices, and what a reader finds there. ``page``: its path."""

    label: str
    page: str
    choices: Mapping[str, addresses.Value] = field(default_factory=dict)

    @property
    def href(self) -> str:
        """The address, relative to any page."""
        return addresses.link(self.page, self.choices)


def draw(link: Link) -> None:
    """Draw a link that keeps the viewer's session."""
    page = st.session_state.get("pages", {}).get(link.page)
    if page is None:
        markup.show(anchor(link))
        return
    choices = {name: value for name, value in link.choices.items() if value}
    st.page_link(page, label=link.label, query_params=choices, help="")


def anchor(link: Link, *parts: markup.Part) -> markup.Html:
    """Return a link inside text; ``parts`` instead of its label."""
    return markup.tag("a", *(parts or (link.label,)), href=link.href, target="_self")
