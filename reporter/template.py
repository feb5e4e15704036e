"""The report that needs no model: the same sections, complete, from the facts alone. Pure."""

from __future__ import annotations

from string import Template
from typing import Literal

from reporter.draft import Draft, Hypothesis, references
from reporter.facts import Facts
from reporter.texts import Texts

#: So many rules, segments and incidents are spoken of.
MOST = 4


def write(facts: Facts, texts: Texts) -> Draft:
    """A draft that refers only to facts that there are; sentences that lack one are left out."""
    return _Template(facts, texts).draft()


class _Template:
    def __init__(self, facts: Facts, texts: Texts) -> None:
        self.facts, self.texts = facts, texts

    def say(self, *keys: str, **prefixes: str) -> list[str]:
        """The first of the sentences whose facts are all there, as a list; none otherwise."""
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
        if len(rules) > 1:
            items += self.say("summary_main", first=rules[0], second=rules[1])
        elif rules:
            items += self.say("summary_one", first=rules[0])
        else:
            items += self.say("summary_none")
        items += self.say("summary_score_change", "summary_score")
        items += self.say("summary_sales_change", "summary_sales")
        if self.facts.incidents:
            items += self.say("summary_incidents")
        return items

    def anomalies(self) -> list[str]:
        items: list[str] = []
        for prefix in self.facts.incidents[:MOST]:
            items += self.say("anomaly_incident_expected", "anomaly_incident", p=prefix)
        for prefix in self.facts.rules[: 2 * MOST - len(items)]:
            items += self.say("anomaly_rule_change", "anomaly_rule", p=prefix)
        return items or self.say("anomaly_none")

    def hypotheses(self) -> list[Hypothesis]:
        rows: list[tuple[str, str]] = [("hypothesis_segment", prefix) for prefix in self.facts.segments[:2]]
        rows += [("hypothesis_incident", prefix) for prefix in self.facts.incidents[:MOST]]
        rows += [("hypothesis_new", prefix) for prefix in self.facts.rules if self._is_new(prefix)]
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
        return before is not None and before.value == 0 and now is not None and float(now.value) >= 5

    def impact(self) -> list[str]:
        items: list[str] = []
        if self._value("all.at_risk") > 0:
            items += self.say("impact_total_change", "impact_total")
        for prefix in self.facts.rules[:MOST]:
            items += self.say("impact_rule", "impact_rule_text", "impact_rule_value", p=prefix)
        return items[: MOST + 1] or self.say("impact_none")

    def _value(self, fact_id: str) -> float:
        fact = self.facts.all.get(fact_id)
        return 0.0 if fact is None or isinstance(fact.value, str) else float(fact.value)

    def recommendations(self) -> list[str]:
        items: list[str] = []
        if self.facts.has("health.workers") and self._value("health.workers") == 0:
            items += self.say("recommend_workers")
        if self._value("health.lag") > 0:
            items += self.say("recommend_lag")
        still_open = [one for one in self.facts.incidents if self._is_open(one)]
        for prefix in still_open[:2]:
            items += self.say("recommend_incident", p=prefix)
        for prefix in self.facts.rules[:2]:
            items += self.say("recommend_rule", p=prefix)
        for prefix in self.facts.segments[:1]:
            items += self.say("recommend_segment", p=prefix)
        for prefix in self.facts.repairs[:1]:
            items += self.say("recommend_repair", p=prefix)
        return items[:6] or self.say("recommend_none")

    def _is_open(self, prefix: str) -> bool:
        state = self.facts.all.get(f"{prefix}.state")
        return state is not None and state.value == self.texts("states", "open")
