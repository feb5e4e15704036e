"""A page's address holds what a viewer chose: a reload and Back keep it, and a link shows the same to somebody else.

A choice is read from the address when a page was opened by it (``opened``), and written into it when the viewer chooses
(``keep``). All choices of one run are written together (``write``), so that Back undoes one step of the viewer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import streamlit as st

from dashboard.text.addresses import Value

_SEEN, _WIDGETS, _KEPT, _VISIT = "address-seen", "address-widgets", "address-kept", "address-visit"


def opened(page: str) -> bool:
    """True if the viewer came here by an address: a link, a reload, Back, or another page; then widgets start from it."""
    now = page, _present()
    if st.session_state.get(_SEEN) == now:
        return False
    for key in st.session_state.pop(_WIDGETS, ()):
        st.session_state.pop(key, None)
    st.session_state.pop(_KEPT, None)
    st.session_state[_VISIT] = visit() + 1
    st.session_state[_SEEN] = now
    return True


def visit() -> int:
    """Return the number of times that a page was opened by its address; a table's key has it, to begin anew."""
    return int(st.session_state.get(_VISIT, 0))


def asked(name: str) -> list[str]:
    """Return the values of a parameter."""
    return [value for value in st.query_params.get_all(name) if value]


def one(name: str) -> str:
    """Return the value of a parameter; empty without one."""
    return next(iter(asked(name)), "")


def current(name: str) -> str:
    """Return the value of a parameter as it will be written; empty without one."""
    kept: Mapping[str, Value] = st.session_state.get(_KEPT, {})
    if name not in kept:
        return one(name)
    value = kept[name]
    return value if isinstance(value, str) else next(iter(value or ()), "")


def seed(key: str, read: Callable[[], object]) -> None:
    """Give the widget ``key`` what ``read`` finds in the address, unless the viewer has chosen since."""
    st.session_state.setdefault(_WIDGETS, set()).add(key)
    if key not in st.session_state:
        st.session_state[key] = read()


def seed_one(key: str, name: str, options: Iterable[str], default: str) -> None:
    """Give the widget ``key`` the option that the address names, else ``default``."""
    seed(key, lambda: one(name) if one(name) in set(options) else default)


def keep(name: str, value: Value) -> None:
    """Note what the address is to say; without a value it does not have the parameter."""
    st.session_state.setdefault(_KEPT, {})[name] = value


def write() -> None:
    """Write what was noted into the address, as one step of the browser's history."""
    kept: Mapping[str, Value] = st.session_state.pop(_KEPT, {})
    before = _present()
    after = {**before, **{name: (value,) if isinstance(value, str) else tuple(value or ()) for name, value in kept.items()}}
    after = {name: value for name, value in after.items() if any(value)}
    if after != before:
        st.query_params.from_dict(after)
        seen = st.session_state.get(_SEEN)
        if seen is not None:
            st.session_state[_SEEN] = seen[0], after


def _present() -> dict[str, tuple[str, ...]]:
    return {name: tuple(st.query_params.get_all(name)) for name in st.query_params}
