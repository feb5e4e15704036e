"""The figures of an evaluation over all seeds, and the targets that are not reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from headrace.evaluation.run import Outcome, StreamKind
from headrace.evaluation.score import WEEK, IncidentScore, RecordScores, Score, found_incidents, unexplained
from stream_app.contract import Shop

#: Seconds after an incident in which its side effects may be raised: a day, because hours of the day are compared.
SETTLE = 86_400


@dataclass(frozen=True, slots=True)
class Targets:
    """The targets of an evaluation; None: no target.

    Attributes:
        rules: minimum precision and recall of deterministic rules.
        outliers: minimum precision and recall of rules with a learned baseline.
        windows: maximum windows until an incident is found.
        alarms: maximum false alarms per week of event time on streams without faults.
    """

    rules: float | None = 1.0
    outliers: float | None = 0.95
    windows: int | None = 2
    alarms: float | None = 1.0

    @classmethod
    def parse(cls, text: str) -> Targets:
        """Read ``targets`` (all defaults), or the targets to check: ``outliers=0.9,windows=3``.

        Raises:
            ValueError: unknown target, or not a number.
        """
        if text == "targets":
            return cls()
        given: dict[str, Any] = dict.fromkeys(("rules", "outliers", "windows", "alarms"))
        for part in text.split(","):
            name, _, number = part.strip().partition("=")
            if name not in given:
                raise ValueError(
                    f"unknown target {name!r}; write `targets`, or some of {', '.join(given)} such as rules=1,windows=2"
                )
            try:
                given[name] = int(number) if name == "windows" else float(number)
            except ValueError:
                raise ValueError(f"the target {name} is not a number: {number!r}; write one such as rules=1") from None
        return cls(**given)


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule: counts over all seeds, precision and recall as the mean over the seeds in which they are defined."""

    entity: str
    rule: str
    kind: str
    score: Score
    precision: float | None
    recall: float | None

    def reached(self, targets: Targets) -> bool:
        """True if precision and recall reach their target."""
        least = targets.outliers if self.kind == "outlier" else targets.rules
        return least is None or all(value is None or value >= least for value in (self.precision, self.recall))


@dataclass(frozen=True, slots=True)
class Alarms:
    """Alarms without a cause on one kind of stream: their number, the weeks of event time, and the number by name."""

    count: int
    weeks: float
    names: Mapping[str, int]

    @property
    def a_week(self) -> float:
        """Alarms per week."""
        return self.count / self.weeks if self.weeks else 0.0


@dataclass(slots=True)
class Report:
    """The figures of an evaluation.

    Attributes:
        records: records of all streams.
        rules: one row per rule that was broken or found.
        idle: rules over records that no fault breaks, as ``entity rule``.
        incidents: kind of incident → score.
        alarms: kind of stream → alarms that no incident explains.
        wrong: (fault or ``-``, expected outcome, outcome) → records.
    """

    records: int
    rules: list[RuleRow]
    idle: list[str]
    incidents: dict[str, IncidentScore] = field(default_factory=dict)
    alarms: dict[StreamKind, Alarms] = field(default_factory=dict)
    wrong: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def unmet(self, targets: Targets) -> list[str]:
        """Return a line for each target that is not reached."""
        lines = [
            f"{row.entity} {row.rule}: precision {shown(row.precision)}, recall {shown(row.recall)}"
            for row in self.rules
            if not row.reached(targets)
        ]
        for name, score in sorted(self.incidents.items()) if targets.windows is not None else ():
            late = sum(delay > (targets.windows or 0) for delay in score.delays)
            if late or score.missed:
                lines.append(f"{name}: {late} of {score.staged} found after window {targets.windows}, {score.missed} not found")
        quiet = self.alarms.get("quiet")
        if quiet is not None and targets.alarms is not None and quiet.a_week > targets.alarms:
            lines.append(f"{quiet.a_week:.2f} false alarms a week on streams without faults")
        return lines

    def to_json(self, targets: Targets) -> dict[str, Any]:
        """Return the figures as JSON types."""
        return {
            "records": self.records,
            "rules": [
                {
                    "entity": row.entity, "rule": row.rule, "kind": row.kind, "caught": row.score.caught,
                    "missed": row.score.missed, "wrong": row.score.wrong, "precision": row.precision, "recall": row.recall,
                }
                for row in self.rules
            ],
            "not_exercised": self.idle,
            "incidents": {
                name: {"staged": score.staged, "delays": sorted(score.delays), "missed": score.missed, "shown_by": score.by}
                for name, score in sorted(self.incidents.items())
            },
            "false_alarms": {
                kind: {
                    "count": found.count, "weeks": round(found.weeks, 3), "a_week": found.a_week, "which": dict(found.names)
                }
                for kind, found in self.alarms.items()
            },
            "wrong_outcomes": [
                {"fault": fault, "expected": expected, "became": became, "records": count}
                for (fault, expected, became), count in sorted(self.wrong.items())
            ],
            "unmet": self.unmet(targets),
        }  # fmt: skip


def of_records(shop: Shop, by_seed: Iterable[RecordScores]) -> Report:
    """Return the figures of records alone; ``by_seed`` has one entry per seed."""
    seeds = list(by_seed)
    total = RecordScores()
    for scores in seeds:
        total.merge(scores)
    rows = []
    for (entity, rule), score in sorted(total.rules.items()):
        parts = [scores.rules.get((entity, rule), Score()) for scores in seeds]
        known = shop.contracts[entity].rules.get(rule)
        kind = "repair" if known is None else "outlier" if known.kind == "outlier" else "deterministic"
        rows.append(
            RuleRow(entity, rule, kind, score, _mean(part.precision for part in parts), _mean(part.recall for part in parts))
        )
    broken = {key for key, score in total.rules.items() if score.caught + score.missed}
    idle = [
        f"{entity} {rule.id}"
        for entity, contract in shop.contracts.items()
        for rule in contract.rules.values()
        if rule.kind != "window" and (entity, rule.id) not in broken
    ]
    return Report(total.records, rows, idle, wrong=total.outcomes)


def of_trials(shop: Shop, outcomes: Iterable[Outcome]) -> Report:
    """Return the figures of all trials."""
    done = list(outcomes)
    by_seed: dict[int, RecordScores] = {}
    for outcome in done:
        by_seed.setdefault(outcome.trial.seed, RecordScores()).merge(outcome.records)
    made = of_records(shop, by_seed.values())
    for outcome in done:
        for name, score in found_incidents(outcome.staged, outcome.alarms).items():
            made.incidents.setdefault(name, IncidentScore()).add(score)
    kinds: tuple[StreamKind, ...] = ("quiet", "faults", "incidents")
    for kind in kinds:
        streams = [outcome for outcome in done if outcome.trial.kind == kind]
        if not streams:
            continue
        names: dict[str, int] = {}
        for outcome in streams:
            for alarm in unexplained(outcome.staged, outcome.alarms, SETTLE):
                names[alarm.name] = names.get(alarm.name, 0) + 1
        weeks = sum(outcome.seconds for outcome in streams) / WEEK
        made.alarms[kind] = Alarms(sum(names.values()), weeks, names)
    return made


def _mean(values: Iterable[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return fmean(defined) if defined else None


def shown(value: float | None) -> str:
    """Return a share with three digits, rounded down, so that 1.000 means all."""
    return "–" if value is None else f"{int(value * 1000) / 1000:.3f}"
