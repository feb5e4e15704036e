"""Findings and repairs as header bytes: the spelling that subscribers know, and read back by the same struct."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.contract import Dimension, Rule, Severity, load_shop
from stream_app.judge.verdict import Finding, findings_json, read_findings, repairs_json

TEXTS = st.text(st.characters(codec="utf-8"))


def spelled(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


@given(TEXTS, TEXTS, st.sampled_from(Severity), st.sampled_from(Dimension))
def test_a_finding_is_compact_json_with_five_keys_and_reads_back(
    text: str, path: str, severity: Severity, dimension: Dimension
) -> None:
    header = findings_json([Rule(text, dimension, severity, path, text, "condition")])

    assert header == spelled([{"rule": text, "severity": severity, "dimension": dimension, "path": path, "message": text}])
    assert read_findings(header) == (Finding(text, severity.value, dimension.value, path, text),)


@given(st.lists(TEXTS))
def test_repairs_are_a_compact_json_list(repairs: list[str]) -> None:
    assert repairs_json(repairs) == spelled(repairs)


def test_every_rule_of_the_built_in_shop_reads_back_in_order() -> None:
    for contract in load_shop().contracts.values():
        rules = list(contract.rules.values())

        found = read_findings(findings_json(rules))

        assert [one.rule for one in found] == [rule.id for rule in rules]
        assert [one.field for one in found] == [rule.path[2:] or None for rule in rules]


def test_missing_keys_have_defaults_and_unknown_ones_are_ignored() -> None:
    assert read_findings(b'[{"rule":"a","fingerprint":1}]') == (Finding(rule="a", path="$"),)


@pytest.mark.parametrize("header", [None, b"", b"{", b"[1]", b'"x"', b"\xff", b"{}", b"null"])
def test_a_header_that_is_not_a_list_of_findings_reads_as_none(header: bytes | None) -> None:
    assert read_findings(header) == ()
