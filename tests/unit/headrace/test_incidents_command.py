"""``headrace incidents``: foreign texts cannot write to a terminal what they are not."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from headrace.cli import incidents
from stream_app.monitor.causes import causes
from stream_app.store.acts import new_act
from tests.support.staged import COUNTRY, country_gone


def test_no_escape_sequence_of_a_segment_or_an_act_reaches_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    (lead, _) = country_gone(0)
    lead = replace(lead, segment=(COUNTRY, "Spain\x1b[2J\u202e", 0.0, 0.9))
    acts = (new_act(lead, "assigned", "Ann\x1b]0;x\x07", to="Bob\n  resolved by Eve", text="\x9b31m"),)
    monkeypatch.setattr(incidents, "_read", lambda _: (causes([lead]), acts, "USD"))
    monkeypatch.setattr(incidents, "open_queries", lambda _: None)
    for arguments in (["list"], ["show", lead.id]):
        printed = CliRunner().invoke(incidents.command, arguments, catch_exceptions=False).output
        assert "Spain\\x1b[2J\\u202e" in printed
        assert "Bob\\n  resolved by Eve" in printed
        assert all(line.isprintable() for line in printed.splitlines())
