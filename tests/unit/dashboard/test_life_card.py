"""Acts that a viewer saves are about every incident of the cause."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
import streamlit as st

from dashboard import data
from dashboard.parts import life_card
from stream_app.monitor.acts import Act
from stream_app.monitor.causes import causes
from stream_app.views.incidents import IncidentView
from tests.support.staged import country_gone


class Rerun(Exception):
    """Streamlit draws the page again."""


@pytest.mark.parametrize("kind", ["muted", "expected", "false_alarm"])
def test_an_act_reaches_every_incident_of_the_cause(monkeypatch: pytest.MonkeyPatch, kind: Any) -> None:
    saved: list[Act] = []
    monkeypatch.setattr(data, "act", saved.append)
    monkeypatch.setattr(st, "rerun", Mock(side_effect=Rerun))
    (cause,) = causes(country_gone(0))
    view = IncidentView(cause.lead.id, cause, None, None)
    with pytest.raises(Rerun):
        life_card._save(view, cause, "Ann", kind, ("", 8, ""))  # noqa: SLF001
    [act] = saved
    assert len(cause.all) > 1
    assert act.incidents == {one.id for one in cause.all}
    assert {act.metric, *act.metrics} == {one.metric for one in cause.all}
