"""Writes a complete report from the facts, without a model. Pure."""

from __future__ import annotations

from string import Template
from typing import Literal

from reporter.draft import Draft, Hypothesis, references
from reporter.facts import Facts
from reporter.texts import Texts

#: Maximum number of rules, segments and incidents in the text.
MOST = 4
#: Minimum share of all findings, and minimum number, for a rule to be mentioned.
LEAST_PART, LEAST_FINDINGS = 0.05, 5
#: It must also find something in this share of the records, or this many times as often as before.
MUCH, MORE = 0.01, 1.5
#: Minimum share of the second most frequent rule for both to be named together.
LEAST_SECOND = 0.1
#: Minimum factor over the previous period for a rule to be called rising.
RISE = 3.0
#: Minimum share of the period's records for unread ones to be mentioned: a live stream always has a few.
LEAST_LAG = 0.01


def write(facts: Facts, texts: Texts) -> Draft:
    """Write a draft; sentences that refer to a missing fact are left out."""
    return _Template(facts, texts).draft()


class _Template:
    def __init__(self, facts: Facts, texts: Texts) -> None:
        self.facts, self.texts = facts, texts

    def say(self, *keys: str, **prefixes: str) -> list[str]:
        """Return a list with the first of these sentences whose facts all exist; empty if none has."""
        for key in keys:
            text = Template(self.texts("template", key)).substitute(prefixes)
            if self.facts.has(*references(text)):
                return [text]
        return []

    def draft(self) -> Draft:
        judged = self.facts.has("all.conformity")
        headline = self.say("headline_change", "headline") if judged else []
        return Draft(
            headline=(headline or self.say("headline_empty"))[0],
            summary=self.summary(),
            anomalies=self.anomalies(),
            hypotheses=self.hypotheses(),
            impact=self.impact(),
            recommendations=self.recommendations(),
        )

    def summary(self) -> list[str]:
        rules = self.facts.rules
        items: list[str] = []
        if len(rules) > 1 and self.facts.number(f"{rules[1]}.part") >= LEAST_SECOND:
            items += self.say("summary_main", first=rules[0], second=rules[1])
        elif rules:
            items += self.say("summary_one", first=rules[0])
        else:
            items += self.say("summary_none")
        items += self.say("summary_valid_change", "summary_valid")
        items += self.say("summary_sales_change", "summary_sales")
        items += self.say("summary_restated")
        for prefix in self.facts.doubts[:1]:
            items += self.say("summary_doubt", p=prefix)
        if self.facts.incidents:
            items += self.say("summary_incidents_judged", "summary_incidents")
        return items

    def anomalies(self) -> list[str]:
        items: list[str] = []
        for prefix in self.facts.incidents[:MOST]:
            items += self.say("anomaly_incident_expected", "anomaly_incident", p=prefix)
            items += self.say("anomaly_life", p=prefix)
            items += self.say("anomaly_owner", p=prefix)
        for prefix in [one for one in self.facts.rules if self._matters(one)][: 2 * MOST - len(items)]:
            items += self.say("anomaly_rule_change", "anomaly_rule", p=prefix)
        return items or self.say("anomaly_none")

    def hypotheses(self) -> list[Hypothesis]:
        rows: list[tuple[str, str]] = [("hypothesis_segment", prefix) for prefix in self._segments()[:2]]
        for prefix in self.facts.incidents[:MOST]:
            rows += [(key, prefix) for key in ("hypothesis_incident", "hypothesis_volume", "hypothesis_mix")]
        rows += [("hypothesis_new", prefix) for prefix in self.facts.rules if self._is_new(prefix)]
        rows += [("hypothesis_rise", prefix) for prefix in self.facts.rules if self._rises(prefix)]
        rows += [("hypothesis_repair", prefix) for prefix in self.facts.repairs[:2]]
        found = []
        for key, prefix in rows:
            for text in self.say(key, p=prefix):
                rests_on = list(dict.fromkeys(references(text)))[:6]
                strength: Literal["low", "medium"] = "medium" if key == "hypothesis_segment" else "low"
                found.append(Hypothesis(text=text, rests_on=rests_on, confidence=strength))
        return found[:MOST]

    def _is_new(self, prefix: str) -> bool:
        before = self.facts.all.get(f"{prefix}.findings.previous")
        now = self.facts.all.get(f"{prefix}.findings")
        return before is not None and before.value == 0 and now is not None and float(now.value) >= LEAST_FINDINGS

    def _matters(self, prefix: str) -> bool:
        """True if a rule finds much, or more than before: a few findings as usual are not mentioned."""
        if self.facts.number(f"{prefix}.part") < LEAST_PART or self.facts.number(f"{prefix}.findings") < LEAST_FINDINGS:
            return False
        before, now = self.facts.number(f"{prefix}.share.previous"), self.facts.number(f"{prefix}.share")
        return now >= MUCH or now >= MORE * before

    def _segments(self) -> list[str]:
        """Return the segments with enough of all findings to be mentioned."""
        least = LEAST_PART * self.facts.number("all.findings")
        return [one for one in self.facts.segments if self.facts.number(f"{one}.findings") >= least]

    def _rises(self, prefix: str) -> bool:
        before = self.facts.number(f"{prefix}.share.previous")
        return self._matters(prefix) and 0 < before * RISE <= self.facts.number(f"{prefix}.share")

    def impact(self) -> list[str]:
        items: list[str] = []
        if self.facts.number("all.at_risk") > 0:
            items += self.say("impact_total_change", "impact_total")
        for prefix in [one for one in self.facts.rules if self._matters(one)][:MOST]:
            both, unknown = (["impact_rule_both"], ["impact_rule_unknown"]) if self._finds_sales(prefix) else ([], [])
            items += self.say("impact_rule", *both, "impact_rule_text", "impact_rule_value", *unknown, p=prefix)
        return items[: MOST + 1] or self.say("impact_none")

    def _finds_sales(self, prefix: str) -> bool:
        """True if the records that this rule finds are sales; a repeated record is not."""
        sales = self.facts.entities[0].removeprefix("entity.") if self.facts.has("sales.revenue") else None
        return prefix.startswith(f"rule.{sales}.") and not prefix.endswith(".unique")

    def recommendations(self) -> list[str]:
        items: list[str] = []
        if self.facts.has("health.workers") and self.facts.number("health.workers") == 0:
            items += self.say("recommend_workers")
        if self.facts.number("health.lag") >= max(1.0, LEAST_LAG * self.facts.number("all.records")):
            items += self.say("recommend_lag")
        still_open = [one for one in self.facts.incidents if self._is_open(one)]
        for key, prefix in zip(("recommend_incident", "recommend_next"), still_open, strict=False):
            items += self.say(key, p=prefix)
        if not still_open:
            for prefix in self.facts.incidents[:1]:
                items += self.say("recommend_closed", p=prefix)
        for prefix in [one for one in self.facts.rules if self._matters(one)][:2]:
            items += self.say("recommend_rule", p=prefix)
        for prefix in self._segments()[:1]:
            items += self.say("recommend_segment", p=prefix)
        for prefix in self.facts.repairs[:1]:
            items += self.say("recommend_repair", p=prefix)
        return items[:6] or self.say("recommend_none")

    def _is_open(self, prefix: str) -> bool:
        state = self.facts.all.get(f"{prefix}.state")
        return state is not None and state.value == self.texts("states", "open")
