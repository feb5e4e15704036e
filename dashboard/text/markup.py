"""Small pieces of HTML; everything that ``tag`` did not make is escaped."""

from __future__ import annotations

import html
from collections.abc import Mapping

import streamlit as st

from dashboard.text.words import visible


class Html(str):
    """HTML made by ``tag``, in which foreign text is escaped already."""

    __slots__ = ()


#: Anything that a tag can contain.
Part = Html | str | int | float | None


def tag(name: str, /, *parts: Part, cls: str = "", **attributes: str) -> Html:
    """Return an element. ``name``, ``cls`` and the names of attributes are not escaped; texts and values are."""
    named = {"class": cls, **attributes} if cls else attributes
    written = "".join(f' {key.replace("_", "-")}="{html.escape(visible(value))}"' for key, value in named.items())
    return Html(f"<{name}{written}>{join(*parts)}</{name}>")


def join(*parts: Part) -> Html:
    """Concatenate parts; whatever is not ``Html`` is escaped."""
    return Html("".join(part if isinstance(part, Html) else html.escape(visible(part)) for part in parts if part is not None))


def data(value: object, cls: str = "") -> Html:
    """Return a foreign text verbatim, with its white space; its text direction ends with it."""
    return tag("bdi", visible(value), cls=f"data {cls}".strip())


def code(value: object) -> Html:
    """Return a foreign name (rule, field, topic) in the typeface of code."""
    return tag("bdi", visible(value), cls="data code")


def pill(text: str, tone: str = "") -> Html:
    """Return a small label. ``tone``: ``error``, ``warning``, ``info``, ``good`` or empty."""
    return tag("span", text, cls=f"pill {tone}".strip())


def facts(pairs: Mapping[str, Part], cls: str = "facts") -> Html:
    """Return names with their values, as a definition list; a value of None is left out."""
    rows = [tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs.items() if value is not None]
    return tag("dl", *rows, cls=cls)


def show(piece: Html) -> None:
    """Draw a piece of HTML on the page."""
    st.html(piece)
