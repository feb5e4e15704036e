"""Claims: everything that a report may state, each with its sentence, facts, evidence and confidence. Pure.

Code computes the claims and writes their sentences. A model or the template only chooses among them and orders them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import Template
from typing import Literal

from reporter.draft import references
from reporter.facts import Facts
from reporter.incident_sentences import capital, incident_parts
from reporter.texts import Texts

Section = Literal["headline", "summary", "anomalies", "hypotheses", "impact", "recommendations"]
SECTIONS: tuple[Section, ...] = ("headline", "summary", "anomalies", "hypotheses", "impact", "recommendations")
Confidence = Literal["low", "medium", "high"]
Comparison = Literal["none", "previous", "expected", "elsewhere"]
CONFIDENCES: tuple[Confidence, ...] = ("low", "medium", "high")

#: Maximum number of rules, segments and incidents that the default choice mentions in a section.
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
#: Minimum part of the revenue that is in doubt for it to be mentioned.
LEAST_DOUBTED = 0.01
#: Minimum records that a hypothesis rests on, and those from which the evidence is some, or strong.
LEAST_EVIDENCE, SOME_EVIDENCE, MUCH_EVIDENCE = 20, 30, 100
#: Minimum windows of an incident whose evidence is some.
SOME_WINDOWS = 3

#: Endings of the facts that a claim compares with something → what it compares with.
_COMPARED: tuple[tuple[str, Comparison], ...] = (
    (".elsewhere", "elsewhere"), (".reached_elsewhere", "elsewhere"), (".part_before", "expected"), (".expected", "expected"),
    (".change", "previous"), (".previous", "previous"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement that the facts support.

    Attributes:
        id: ``anomalies.incident.1``: section, kind and subject.
        subject: prefix of the facts that it is about; ``all`` for the shop.
        measure: the fact that it states first.
        comparison: what it compares with.
        source: its sentence, with references to facts.
        facts: ids of the facts that the sentence contains.
        records: number of records, or of windows of an incident, that it rests on.
        must: it is stated whoever chooses.
        default: the template states it.
        short: the sentence where its subject stands above it; empty: the same.
    """

    id: str
    section: Section
    subject: str
    measure: str
    comparison: Comparison
    source: str
    facts: tuple[str, ...]
    records: float
    confidence: Confidence
    must: bool
    default: bool
    short: str = ""


def claims_of(facts: Facts, texts: Texts) -> dict[str, Claim]:
    """Compute all claims, id → claim, in the order of the template. Sentences that refer to a missing fact are left out."""
    return _Claims(facts, texts).all()


class _Claims:
    def __init__(self, facts: Facts, texts: Texts) -> None:
        self.facts, self.texts = facts, texts
        self.made: dict[str, Claim] = {}

    def all(self) -> dict[str, Claim]:
        self._headlines()
        self._summary()
        self._anomalies()
        self._hypotheses()
        self._impact()
        self._recommendations()
        return self.made

    def _add(
        self, section: Section, kind: str, keys: tuple[str, ...], *, subject: str = "all", must: bool = False,
        default: bool = True, **prefixes: str,
    ) -> bool:  # fmt: skip
        """Add a claim with the first of these sentences whose facts all exist; True if one has."""
        given = {"p": subject} | prefixes
        if subject in self.facts.words:
            given |= incident_parts(self.facts, self.texts, subject)
        for key in keys:
            source = capital(Template(self.texts("template", key)).substitute(given))
            used = tuple(dict.fromkeys(references(source)))
            if not self.facts.has(*used):
                continue
            about = subject if subject.startswith(f"{kind}.") else kind if subject == "all" else f"{kind}.{subject}"
            claim_id = f"{section}.{about}"
            if section != "headline" and any(source == one.source for one in self.made.values()):
                return True
            measure = next((one for one in used if self.facts.all[one].unit != "name"), used[0] if used else "")
            compared: Comparison = next((found for end, found in _COMPARED if any(one.endswith(end) for one in used)), "none")
            records, confidence = self._evidence(subject)
            short = Template(self.texts("short", key)).substitute(given) if self.texts.has("short", key) else ""
            self.made[claim_id] = Claim(
                claim_id, section, subject, measure, compared, source, used, records, confidence, must, default, short
            )
            return True
        return False

    def _evidence(self, subject: str) -> tuple[float, Confidence]:
        """Return the number of records behind a subject, and how strong evidence they are."""
        number = self.facts.number
        if subject.startswith("incident."):
            windows = number(f"{subject}.windows")
            return float(LEAST_EVIDENCE), "medium" if windows >= SOME_WINDOWS else "low"
        if subject.startswith(("segment.", "stretch.")):
            records = number(f"{subject}.findings")
        elif subject.startswith("together."):
            records = number(f"{subject}.least")
        elif subject.startswith("cascade."):
            # Two rises at the same time: what belongs to what is not known.
            return min(number(f"{subject}.findings"), number(f"{subject}.rejected")), "medium"
        elif subject.startswith("repair."):
            # A rise of a repair says nothing of its cause, however often it was needed.
            return number(f"{subject}.count"), "low"
        elif subject.startswith("rule."):
            records = number(f"{subject}.findings")
            if not self.facts.has(f"{subject}.findings.previous"):
                return records, "low"
        else:
            records = number("all.records")
        return records, "high" if records >= MUCH_EVIDENCE else "medium" if records >= SOME_EVIDENCE else "low"

    def _headlines(self) -> None:
        judged = self.facts.has("all.conformity")
        # While an incident is open or an error, no other headline is offered.
        for prefix in self.facts.leading or self.facts.incidents[:MOST]:
            default = prefix in self.facts.leading
            self._add("headline", "incident", ("headline_incident",), subject=prefix, default=default)
        if judged and not self.facts.leading:
            self._add("headline", "conformity", ("headline_change", "headline", "headline_plain"))
        if not judged or not self.made:
            self._add("headline", "empty", ("headline_empty",))

    def _summary(self) -> None:
        for prefix in self.facts.doubts[:1]:
            self._add("summary", "doubt", ("summary_doubt",), subject=prefix, must=True)
        if self.facts.incidents:
            # What is open is worth nothing without the moment up to which windows are judged.
            self._add(
                "summary", "incidents", ("summary_incidents_judged", "summary_incidents"), subject="incident.1", must=True
            )
        if self.facts.unjudged:
            self._add("summary", "unjudged", ("summary_unjudged", "summary_unwatched"), must=True)
        self._add("summary", "valid", ("summary_valid_change", "summary_valid"))
        self._add("summary", "sales", ("summary_sales_change", "summary_sales"))
        if self.facts.number("sales.doubted_revenue") >= LEAST_DOUBTED * self.facts.number("sales.revenue"):
            self._add("summary", "doubted", ("summary_doubted",), must=True)
        self._add("summary", "restated", ("summary_restated",), must=True)
        self._top_rules()
        for kind in ("records", "conformity", "findings", "rejected", "average", "conversion"):
            self._add("summary", kind, (f"summary_{kind}_change", f"summary_{kind}"), default=False)
        for prefix in self.facts.entities:
            self._add("summary", "entity", ("summary_entity_change", "summary_entity"), subject=prefix, default=False)

    def _top_rules(self) -> None:
        rules = self.facts.rules
        if len(rules) > 1 and self.facts.number(f"{rules[1]}.part") >= LEAST_SECOND:
            self._add("summary", "rules", ("summary_main",), subject=rules[0], must=True, first=rules[0], second=rules[1])
        elif rules:
            self._add("summary", "rules", ("summary_one",), subject=rules[0], must=True, first=rules[0])
        else:
            self._add("summary", "no_rule", ("summary_none",))

    def _anomalies(self) -> None:
        incidents = self.facts.incidents
        for number, prefix in enumerate(incidents):
            keys: tuple[str, ...] = ("anomaly_incident_sums", "anomaly_incident_expected", "anomaly_incident")
            if self.facts.has(f"{prefix}.hit"):
                keys = ("anomaly_incident_share",)
            self._add(
                "anomalies", "incident", keys, subject=prefix, must=self._is_open(prefix), default=number < MOST
            )  # fmt: skip
            self._add("anomalies", "life", ("anomaly_life",), subject=prefix, must=True)
            owned = self._add("anomalies", "owner", ("anomaly_owner",), subject=prefix, must=True)
            if not owned and prefix in self.facts.leading:
                self._add("anomalies", "owner", ("anomaly_unowned",), subject=prefix, default=False)
        mattering = [one for one in self.facts.rules if self._matters(one)]
        usual = mattering[: 2 * MOST - min(MOST, len(incidents))]
        for prefix in self.facts.rules:
            self._add("anomalies", "rule", ("anomaly_rule_change", "anomaly_rule"), subject=prefix, default=prefix in usual)
        covered = self._covered(self.facts.leading)
        for number, prefix in enumerate(self.facts.stretches):
            known = covered & set(self.facts.related[prefix])
            self._add("anomalies", "stretch", ("anomaly_stretch",), subject=prefix, default=number < MOST and not known)
        for number, prefix in enumerate(self.facts.together):
            self._add("anomalies", "together", ("anomaly_together",), subject=prefix, default=number < MOST)
        if not any(one.section == "anomalies" and one.default for one in self.made.values()):
            calm = ("anomaly_none_so_far", "anomaly_none_unwatched") if self.facts.unjudged else ("anomaly_none",)
            self._add("anomalies", "none", calm)

    def _hypotheses(self) -> None:
        rows: list[tuple[str, str, bool]] = []
        for number, prefix in enumerate(self.facts.incidents):
            keys = (*self._reasons(prefix), "hypothesis_incident", "hypothesis_volume", "hypothesis_mix")
            rows += [(key, prefix, number < MOST) for key in keys]
        rows += [("hypothesis_cascade", one, True) for one in self.facts.cascades]
        rows += [("hypothesis_segment", one, number < 2) for number, one in enumerate(self._segments())]
        covered = self._covered([one for one in self.facts.leading if self._reasons(one)])
        rows += [("hypothesis_new", prefix, prefix not in covered) for prefix in self.facts.rules if self._is_new(prefix)]
        rows += [("hypothesis_rise", prefix, prefix not in covered) for prefix in self.facts.rules if self._rises(prefix)]
        rows += [("hypothesis_repair", prefix, number < 2) for number, prefix in enumerate(self.facts.repairs)]
        left = MOST
        for key, prefix, default in rows:
            if self._evidence(prefix)[0] < LEAST_EVIDENCE:
                continue
            kind = key.removeprefix("hypothesis_")
            if self._add("hypotheses", kind, (key,), subject=prefix, default=default and left > 0):
                left -= default

    def _reasons(self, prefix: str) -> tuple[str, ...]:
        """Return the hypotheses that follow from what an incident is about."""
        if self.facts.actions.get(prefix) == "repeats":
            return ("hypothesis_repeats",)
        word, reason = self.facts.words[prefix], self.facts.words.get(f"{prefix}.reason")
        if word == "drift_vanished" and reason == "drift_appeared":
            return ("hypothesis_renamed",)
        if reason is not None:
            return ("hypothesis_reason",)
        return ("hypothesis_silence",) if word == "none" and not self.facts.has(f"{prefix}.segment") else ()

    def _impact(self) -> None:
        for prefix in self.facts.incidents:
            keys = ("impact_doubtful",) if prefix in self.facts.doubts else ("impact_below", "impact_above")
            if self.facts.actions[prefix] == "repeats":
                keys = (*keys, "impact_repeats")
            self._add("impact", "incident", keys, subject=prefix, must=prefix in self.facts.leading[:MOST])
        if self.facts.number("all.at_risk") > 0:
            self._add("impact", "total", ("impact_total_change", "impact_total"), must=True)
        left = MOST
        for prefix in self.facts.rules:
            both, unknown = (("impact_rule_both",), ("impact_rule_unknown",)) if self._finds_sales(prefix) else ((), ())
            keys = ("impact_rule", *both, "impact_rule_text", "impact_rule_value", *unknown)
            default = left > 0 and self._matters(prefix)
            if self._add("impact", "rule", keys, subject=prefix, default=default):
                left -= default
        if not any(one.section == "impact" and one.default for one in self.made.values()):
            self._add("impact", "none", ("impact_none",))

    def _finds_sales(self, prefix: str) -> bool:
        """True if the records that this rule finds are sales; a repeated record is not."""
        sales = self.facts.entities[0].removeprefix("entity.") if self.facts.has("sales.revenue") else None
        return prefix.startswith(f"rule.{sales}.") and prefix not in self.facts.repeats

    def _recommendations(self) -> None:
        facts = self.facts
        if facts.has("health.workers") and facts.number("health.workers") == 0:
            self._add("recommendations", "workers", ("recommend_workers",), must=True)
        if facts.number("health.lag") >= max(1.0, LEAST_LAG * facts.number("all.records")):
            self._add("recommendations", "lag", ("recommend_lag",), must=True)
        still_open = [one for one in facts.leading if self._is_open(one)]
        for number, prefix in enumerate(still_open):
            self._add("recommendations", "incident", ("recommend_incident",), subject=prefix, must=not number)
        over = [one for one in facts.leading if one not in still_open]
        for number, prefix in enumerate([*over, *(one for one in facts.incidents if one not in facts.leading)]):
            default = number < MOST and (prefix in over or (not facts.leading and not number))
            self._add("recommendations", "closed", ("recommend_closed",), subject=prefix, default=default)
        covered = self._covered(facts.leading)
        mattering = [one for one in facts.rules if self._matters(one) and one not in covered]
        for prefix in facts.rules:
            self._add("recommendations", "rule", ("recommend_rule",), subject=prefix, default=prefix in mattering[:2])
        for number, prefix in enumerate(self._segments()):
            self._add("recommendations", "segment", ("recommend_segment",), subject=prefix, default=not number)
        for number, prefix in enumerate(facts.repairs):
            self._add("recommendations", "repair", ("recommend_repair",), subject=prefix, default=not number)
        if not any(one.section == "recommendations" and one.default for one in self.made.values()):
            self._add("recommendations", "none", ("recommend_none",))

    def _covered(self, incidents: Sequence[str]) -> set[str]:
        """Return the rules that these incidents are about: what is said of the incident is enough."""
        return {rule for prefix in incidents for rule in self.facts.related.get(prefix, ())}

    def _is_open(self, prefix: str) -> bool:
        state = self.facts.all.get(f"{prefix}.state")
        return state is not None and state.value == self.texts("states", "open")

    def _is_new(self, prefix: str) -> bool:
        before = self.facts.all.get(f"{prefix}.findings.previous")
        return before is not None and before.value == 0 and self.facts.number(f"{prefix}.findings") >= LEAST_FINDINGS

    def _rises(self, prefix: str) -> bool:
        before = self.facts.number(f"{prefix}.share.previous")
        return self._matters(prefix) and 0 < before * RISE <= self.facts.number(f"{prefix}.share")

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
