"""Small pieces of HTML of our own making: whatever is not made by ``tag`` is escaped."""

from __future__ import annotations

import html
from collections.abc import Mapping

import streamlit as st

from dashboard.text.words import visible


class Html(str):
    """HTML that ``tag`` made: what is in it from elsewhere is escaped already."""

    __slots__ = ()


#: Anything that may stand inside a tag.
Part = Html | str | int | float | None


def tag(name: str, /, *parts: Part, cls: str = "", **attributes: str) -> Html:
    """An element; ``name``, ``cls`` and the attributes' names are ours, texts and values may be anyone's."""
    named = {"class": cls, **attributes} if cls else attributes
    written = "".join(f' {key.replace("_", "-")}="{html.escape(visible(value))}"' for key, value in named.items())
    return Html(f"<{name}{written}>{join(*parts)}</{name}>")


def join(*parts: Part) -> Html:
    """Parts one after the other; what is no HTML of ours is escaped."""
    return Html("".join(part if isinstance(part, Html) else html.escape(visible(part)) for part in parts if part is not None))


def data(value: object, cls: str = "") -> Html:
    """A text from elsewhere, verbatim, with its white space; its direction cannot reach beyond it."""
    return tag("bdi", visible(value), cls=f"data {cls}".strip())


def code(value: object) -> Html:
    """A name from elsewhere (rule, field, topic) in the typeface of code."""
    return tag("bdi", visible(value), cls="data code")


def pill(text: str, tone: str = "") -> Html:
    """A small label. ``tone``: ``error``, ``warning``, ``info``, ``good`` or nothing."""
    return tag("span", text, cls=f"pill {tone}".strip())


def facts(pairs: Mapping[str, Part], cls: str = "facts") -> Html:
    """Names with their values, as a list of definitions."""
    rows = [tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs.items()]
    return tag("dl", *rows, cls=cls)


def show(piece: Html) -> None:
    """Put it on the page."""
    st.html(piece)
