"""Every fault that the simulator knows is found by its rule, becomes what it says, and breaks no other rule."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest

from headrace.check.check import Check
from headrace.evaluation.run import START_MS
from producers.simulator.faults import FAULTS, Fault
from producers.simulator.simulator import Event, Simulation
from stream_app.contract import load_shop
from stream_app.judge import Verdict

SHOP = load_shop(None)
GUESSES = {rule.id for contract in SHOP.contracts.values() for rule in contract.rules.values() if rule.kind == "outlier"}


@dataclass
class Found:
    """Findings of a stream, by fault: rule ids, repairs and outcome of each record; of faultless ones by rule."""

    faults: dict[str, list[tuple[frozenset[str], bool, str]]] = field(default_factory=dict)
    faultless: Counter[str] = field(default_factory=Counter)
    records: int = 0


@pytest.fixture(scope="module")
def found() -> Found:
    made = Found()
    events: dict[str, list[Event]] = {entity: [] for entity in SHOP.contracts}

    def observe(entity: str, number: int, verdict: Verdict) -> None:
        fault = events[entity][number - 1].fault
        rules = frozenset(rule.id for rule in verdict.findings)
        made.records += 1
        if fault is None:
            made.faultless.update(rules)
        else:
            row = (rules, bool(verdict.repairs), "rejected" if verdict.rejected else "clean")
            made.faults.setdefault(fault.name, []).append(row)

    check = Check(SHOP, now_ms=START_MS, max_bytes=256 * 1024, observer=observe)
    stream = Simulation(seed=7, start_ms=START_MS, per_second=0.05, count=30_000, faults=0.25, products=40)
    pile: list[Event] = []
    for event in stream.events():
        events[event.record.entity].append(event)
        pile.append(event)
        if len(pile) == 200:
            check.judge(one.record for one in pile)
            pile.clear()
    check.judge(one.record for one in pile)
    check.finish()
    return made


def test_there_are_at_least_forty_faults_of_the_contracts_own_rules() -> None:
    assert len(FAULTS) >= 40
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    for fault in FAULTS:
        rules = SHOP.contracts[fault.entity].rules
        assert fault.rule is None or fault.rule in rules, fault.name
        assert set(fault.also) <= set(rules), fault.name
        assert fault.does


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_found_by_its_rule_and_breaks_no_other_rule(fault: Fault, found: Found) -> None:
    rows = found.faults[fault.name]
    assert len(rows) >= 10
    missed = 0
    for rules, repaired, outcome in rows:
        assert outcome == fault.outcome
        if fault.rule is None:
            assert repaired
            assert not rules
        else:
            missed += fault.rule not in rules
            assert rules <= {fault.rule, *fault.also}
    # What is usual is learned on the way: an outlier may be missed, nothing else may.
    assert missed <= (0.05 * len(rows) if fault.rule in GUESSES else 0)


def test_what_is_not_broken_breaks_no_rule_that_is_not_a_guess(found: Found) -> None:
    assert found.records > 30_000
    assert not set(found.faultless) - GUESSES
    assert sum(found.faultless.values()) < 0.0005 * found.records
