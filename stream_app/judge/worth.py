"""What records with findings are worth: which rules leave quantity × price believable, and the value at risk."""

from __future__ import annotations

from collections.abc import Mapping

from stream_app.judge.summary import ContractSummary, RuleSummary

#: Rules that find what quantity or price themselves are too high: what such a record says it is worth, it is not.
DOUBTING_KINDS = frozenset({"condition", "outlier", "deviation"})
#: Ends of the ids of more of them. A record that comes a second time, word for word, is worth nothing (one that says
#: something else is a contradiction).
_WORTHLESS = ("maximum", ".unique")


def has_worth(rule_id: str, rule: RuleSummary) -> bool:
    """Whether quantity × price of the records that this rule finds says what is at risk."""
    return rule.counts and rule.kind not in DOUBTING_KINDS and not rule_id.lower().endswith(_WORTHLESS)


def at_risk(contract: ContractSummary, rule_id: str, at_risk_minor: Mapping[str, int]) -> int | None:
    """Minor units at risk in the findings of a rule; None where the rule has no worth or the entity no revenue."""
    rule = contract.rules.get(rule_id)
    if rule is None or not contract.revenue or not has_worth(rule_id, rule):
        return None
    return at_risk_minor.get(rule_id, 0)


def value_at_risk(contract: ContractSummary, at_risk_minor: Mapping[str, int]) -> int:
    """Minor units at risk in one entity, added up by rule: a record counts under each rule that found something in it."""
    return sum(at_risk(contract, rule_id, at_risk_minor) or 0 for rule_id in at_risk_minor)
