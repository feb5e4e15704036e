"""The report that needs no model: the same sections, complete, from the facts alone. Pure."""

from __future__ import annotations

from string import Template
from typing import Literal

from reporter.draft import Draft, Hypothesis, references
from reporter.facts import Facts
from reporter.texts import Texts

#: So many rules, segments and incidents are spoken of.
MOST = 4
#: A rule is worth a word from this share of all findings and this many on.
LEAST_PART, LEAST_FINDINGS = 0.05, 5
#: And only where it finds something in this share of the records, or so many times as much as before.
MUCH, MORE = 0.01, 1.5
#: The most frequent rules are named together where the second has this share.
LEAST_SECOND = 0.1
#: A rule that finds so many times as much as before is on the rise.
RISE = 3.0
#: Unread records matter from this share of the period's on: a live stream always has a few.
LEAST_LAG = 0.01


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
        if len(rules) > 1 and self._value(f"{rules[1]}.part") >= LEAST_SECOND:
            items += self.say("summary_main", first=rules[0], second=rules[1])
        elif rules:
            items += self.say("summary_one", first=rules[0])
        else:
            items += self.say("summary_none")
        items += self.say("summary_score_change", "summary_score")
        items += self.say("summary_sales_change", "summary_sales")
        for prefix in self.facts.doubts[:1]:
            items += self.say("summary_doubt", p=prefix)
        if self.facts.incidents:
            items += self.say("summary_incidents")
        return items

    def anomalies(self) -> list[str]:
        items: list[str] = []
        for prefix in self.facts.incidents[:MOST]:
            items += self.say("anomaly_incident_expected", "anomaly_incident", p=prefix)
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
        """Whether a rule is worth a word: it finds much, or more than before. The usual few are no news."""
        if self._value(f"{prefix}.part") < LEAST_PART or self._value(f"{prefix}.findings") < LEAST_FINDINGS:
            return False
        before, now = self._value(f"{prefix}.share.previous"), self._value(f"{prefix}.share")
        return now >= MUCH or now >= MORE * before

    def _segments(self) -> list[str]:
        """Those that hold enough of all findings to be worth a word."""
        least = LEAST_PART * self._value("all.findings")
        return [one for one in self.facts.segments if self._value(f"{one}.findings") >= least]

    def _rises(self, prefix: str) -> bool:
        before = self._value(f"{prefix}.share.previous")
        return self._matters(prefix) and 0 < before * RISE <= self._value(f"{prefix}.share")

    def impact(self) -> list[str]:
        items: list[str] = []
        if self._value("all.at_risk") > 0:
            items += self.say("impact_total_change", "impact_total")
        for prefix in [one for one in self.facts.rules if self._matters(one)][:MOST]:
            both, unknown = (["impact_rule_both"], ["impact_rule_unknown"]) if self._is_worth(prefix) else ([], [])
            items += self.say("impact_rule", *both, "impact_rule_text", "impact_rule_value", *unknown, p=prefix)
        return items[: MOST + 1] or self.say("impact_none")

    def _is_worth(self, prefix: str) -> bool:
        """Whether the records that this rule finds are sales; one that comes again is none."""
        sales = self.facts.entities[0].removeprefix("entity.") if self.facts.has("sales.revenue") else None
        return prefix.startswith(f"rule.{sales}.") and not prefix.endswith(".unique")

    def _value(self, fact_id: str) -> float:
        fact = self.facts.all.get(fact_id)
        return 0.0 if fact is None or isinstance(fact.value, str) else float(fact.value)

    def recommendations(self) -> list[str]:
        items: list[str] = []
        if self.facts.has("health.workers") and self._value("health.workers") == 0:
            items += self.say("recommend_workers")
        if self._value("health.lag") >= max(1.0, LEAST_LAG * self._value("all.records")):
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
