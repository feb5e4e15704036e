"""What records with findings are worth: which rules leave quantity × price believable, and the value at risk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from stream_app.contract.model import Contract, Rule, Severity

if TYPE_CHECKING:
    from stream_app.judge.summary import ContractSummary

#: Rules that may doubt the amount whatever fields they name.
_DOUBTING_KINDS = frozenset({"condition", "outlier", "deviation"})
#: A record that comes a second time, word for word, is worth nothing (one that says something else is a contradiction).
_REPEATED = ".unique"


def tells_worth(contract: Contract, rule: Rule) -> bool:
    """Whether quantity × price of the records that this rule finds says what is at risk: it doubts neither of them."""
    revenue = contract.revenue
    return (
        revenue is not None
        and rule.severity is not Severity.INFO
        and rule.field not in (revenue.quantity, revenue.price)
        and rule.kind not in _DOUBTING_KINDS
        and not rule.id.endswith(_REPEATED)
    )


def at_risk(contract: ContractSummary, rule_id: str, at_risk_minor: Mapping[str, int]) -> int | None:
    """Minor units at risk in the findings of a rule; None where it tells no worth."""
    rule = contract.rules.get(rule_id)
    return at_risk_minor.get(rule_id, 0) if rule is not None and rule.worth else None


def value_at_risk(contract: ContractSummary, at_risk_minor: Mapping[str, int]) -> int:
    """Minor units at risk in one entity, added up by rule: a record counts under each rule that found something in it."""
    return sum(at_risk(contract, rule_id, at_risk_minor) or 0 for rule_id in at_risk_minor)
