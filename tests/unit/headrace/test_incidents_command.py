"""``headrace incidents``: what it writes and prints, times of the shop, and foreign texts that a terminal must not run."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from unittest.mock import Mock

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from headrace.cli import incidents
from stream_app.contract.segments import SegmentNames
from stream_app.monitor.acts import Act
from stream_app.monitor.causes import causes
from stream_app.store.acts import new_act
from tests.support.staged import COUNTRY, country_gone


def test_an_act_reaches_every_incident_of_the_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    volume, mix = country_gone(0)
    written: list[Act] = []
    monkeypatch.setattr(incidents, "_read", lambda _: (causes([volume, mix]), (), "USD"))
    monkeypatch.setattr(incidents, "open_queries", lambda _: Mock(monitored=lambda _: {}))
    monkeypatch.setattr(incidents, "write", lambda _settings, act, _send: written.append(act))
    CliRunner().invoke(incidents.command, ["act", mix.id, "muted", "--until", "8h", "--by", "Ann"], catch_exceptions=False)
    [act] = written
    assert act.incidents == {volume.id, mix.id}
    assert {act.metric, *act.metrics} == {volume.metric, mix.metric}


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


def test_times_are_those_of_the_clocks_of_the_shop_and_json_is_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = int(datetime(2026, 7, 1, 22, tzinfo=UTC).timestamp())
    (lead, _) = country_gone(begin)
    acts = [replace(new_act(lead, "muted", "Ann", until=begin + 3_600), at=begin * 1_000)]
    monkeypatch.setenv("HEADRACE_TIMEZONE", "Asia/Tokyo")
    monkeypatch.setattr(incidents, "_read", lambda _: (causes([lead]), tuple(acts), "USD"))
    monkeypatch.setattr(incidents, "open_queries", lambda _: Mock(monitored=lambda _: {}))
    monkeypatch.setattr(incidents, "write", lambda _settings, act, _send: acts.append(act))

    def printed(*arguments: str) -> str:
        return CliRunner().invoke(incidents.command, arguments, catch_exceptions=False).output

    assert "since 2 Jul 01:00" in printed("list")
    assert "muted by Ann, 2 Jul 2026, 07:00 JST, until 2 Jul 2026, 08:00 JST" in printed("show", lead.id)
    (row,) = json.loads(printed("list", "--json"))
    assert row["start"] == "2026-07-01T16:00:00.000Z"
    assert "until 1 Jan 2100, 08:00 JST" in printed("act", lead.id, "muted", "--until", "2100-01-01T08:00", "--by", "Ann")
    assert acts[-1].until == int(datetime(2099, 12, 31, 23, tzinfo=UTC).timestamp())


def test_a_value_that_no_contract_lists_has_the_number_that_pages_and_reports_show(monkeypatch: pytest.MonkeyPatch) -> None:
    (lead, _) = country_gone(0)
    number = SegmentNames({}).text(COUNTRY, "Ann Example")
    monkeypatch.setattr(incidents, "_read", lambda _: (causes([replace(lead, segment=(COUNTRY, number, 0.0, 0.9))]), (), "USD"))
    monkeypatch.setattr(incidents, "open_queries", lambda _: None)
    assert f"No orders from country {number} " in CliRunner().invoke(incidents.command, ["list"]).output
