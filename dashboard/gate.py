"""Access to the dashboard: open to everyone who reaches it, or to an allow-list after a log-in by OpenID Connect."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from dashboard import data
from dashboard.text import markup


def refusal(user: Mapping[str, object], allowed: str) -> str | None:
    """Return why this user may not see the dashboard; None if the user may.

    Args:
        user: the claims of the identity token. An e-mail address counts only if the provider has verified it: otherwise anyone
            could open an account there with another person's address.
        allowed: e-mail addresses and domains, separated by commas: ``ann@example.org,@example.com``.
    """
    email = str(user.get("email") or "").strip().casefold()
    if not email or email.count("@") != 1:
        return "Your account has no e-mail address, so it cannot be on the allow-list."
    if user.get("email_verified") is not True and str(user.get("email_verified")).lower() != "true":
        return "Your provider has not verified your e-mail address."
    _, _, domain = email.partition("@")
    for entry in (one.strip().casefold() for one in allowed.split(",")):
        if entry and (email == entry or (entry.startswith("@") and domain == entry[1:])):
            return None
    return "Your e-mail address is not on the allow-list of this dashboard. Ask its administrator to add it."


def passed() -> bool:
    """True if the viewer may see the dashboard; otherwise draw a log-in or the reason."""
    settings = data.settings()
    if settings.dashboard_login is None:
        return True
    user = st.user.to_dict()
    if user.get("is_logged_in") is not True:
        _card("Log in", "Only users on the allow-list can see this dashboard.", None)
        return False
    why = refusal(user, settings.dashboard_allow)
    if why is None:
        return True
    _card("No access", why, str(user.get("email") or ""))
    return False


def writer() -> str | None:
    """Return the e-mail address of a viewer who may act on incidents; None if writing is off, or nobody has logged in."""
    settings = data.settings()
    if not settings.dashboard_write or settings.dashboard_login is None:
        return None
    user = st.user.to_dict()
    if user.get("is_logged_in") is not True or refusal(user, settings.dashboard_allow) is not None:
        return None
    return str(user["email"]).strip()


def log_out() -> None:
    """Draw a log-out button if there was a log-in."""
    if data.settings().dashboard_login is not None:
        st.button("Log out", on_click=st.logout, key="log-out", type="tertiary", icon=":material/logout:")


def _card(title: str, text: str, email: str | None) -> None:
    with st.container(key="card-empty"):
        st.header(title, anchor=False)
        markup.show(markup.tag("p", text))
        if email is None:
            st.button("Log in", on_click=st.login, key="log-in", type="primary", icon=":material/login:")
        else:
            markup.show(markup.tag("p", "You are logged in as ", markup.data(email), cls="quiet"))
            st.button("Log out", on_click=st.logout, key="log-out", icon=":material/logout:")
