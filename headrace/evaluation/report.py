"""What an evaluation comes to: figures over all seeds, the targets that are met and those that are not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from headrace.evaluation.run import Outcome, What
from headrace.evaluation.score import WEEK, IncidentScore, RecordScores, Score, found_incidents, unexplained
from stream_app.contract import Shop

#: Side effects of an incident may be raised so many seconds after its end: a day, as hours of the day are compared.
SETTLE = 86_400


@dataclass(frozen=True, slots=True)
class Targets:
    """What is to be reached; None: nothing.

    Attributes:
        rules: least precision and recall of deterministic rules.
        outliers: the same of rules that learn what is usual.
        windows: most windows until an incident is found.
        alarms: most false alarms a week of event time on streams without faults.
    """

    rules: float | None = 1.0
    outliers: float | None = 0.95
    windows: int | None = 2
    alarms: float | None = 1.0

    @classmethod
    def parse(cls, text: str) -> Targets:
        """``targets`` for all of the usual ones, or those that are to count: ``outliers=0.9,windows=3``.

        Raises:
            ValueError: it cannot be read.
        """
        if text == "targets":
            return cls()
        given: dict[str, Any] = dict.fromkeys(("rules", "outliers", "windows", "alarms"))
        for part in text.split(","):
            name, _, number = part.strip().partition("=")
            if name not in given:
                raise ValueError(f"{name!r} is no target; there are {', '.join(given)}")
            given[name] = int(number) if name == "windows" else float(number)
        return cls(**given)


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule: counts over all seeds, precision and recall as the mean over the seeds in which they can be told."""

    entity: str
    rule: str
    kind: str
    score: Score
    precision: float | None
    recall: float | None

    def reached(self, targets: Targets) -> bool:
        """Whether both are as high as they are to be."""
        least = targets.outliers if self.kind == "outlier" else targets.rules
        return least is None or all(value is None or value >= least for value in (self.precision, self.recall))


@dataclass(frozen=True, slots=True)
class Alarms:
    """Alarms without a cause, of one sort of stream: how many, in how many weeks of event time, and which."""

    count: int
    weeks: float
    names: Mapping[str, int]

    @property
    def a_week(self) -> float:
        """How many in a week."""
        return self.count / self.weeks if self.weeks else 0.0


@dataclass(slots=True)
class Report:
    """The figures of an evaluation.

    Attributes:
        records: compared with their truth, over all streams.
        rules: one row per rule that was to be broken or was found.
        idle: rules over records that no fault breaks, as ``entity rule``.
        incidents: by kind.
        alarms: by sort of stream; of ``incidents`` those that no incident explains.
        wrong: (fault or ``-``, expected outcome, outcome) → records.
    """

    records: int
    rules: list[RuleRow]
    idle: list[str]
    incidents: dict[str, IncidentScore] = field(default_factory=dict)
    alarms: dict[What, Alarms] = field(default_factory=dict)
    wrong: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def unmet(self, targets: Targets) -> list[str]:
        """A line for each target that is not reached."""
        lines = [
            f"{row.entity} {row.rule}: precision {shown(row.precision)}, recall {shown(row.recall)}"
            for row in self.rules
            if not row.reached(targets)
        ]
        for name, score in sorted(self.incidents.items()) if targets.windows is not None else ():
            late = sum(delay > (targets.windows or 0) for delay in score.delays)
            if late or score.missed:
                lines.append(
                    f"{name}: of {score.staged}, {late} found after window {targets.windows}, {score.missed} not at all"
                )
        quiet = self.alarms.get("quiet")
        if quiet is not None and targets.alarms is not None and quiet.a_week > targets.alarms:
            lines.append(f"{quiet.a_week:.2f} false alarms a week on streams without faults")
        return lines

    def to_json(self, targets: Targets) -> dict[str, Any]:
        """The figures as JSON types."""
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
                what: {
                    "count": found.count, "weeks": round(found.weeks, 3), "a_week": found.a_week, "which": dict(found.names)
                }
                for what, found in self.alarms.items()
            },
            "wrong_outcomes": [
                {"fault": fault, "expected": expected, "became": became, "records": count}
                for (fault, expected, became), count in sorted(self.wrong.items())
            ],
            "unmet": self.unmet(targets),
        }  # fmt: skip


def of_records(shop: Shop, by_seed: Iterable[RecordScores]) -> Report:
    """The figures of records alone; one entry of ``by_seed`` per seed."""
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


def report(shop: Shop, outcomes: Iterable[Outcome]) -> Report:
    """The figures of all trials."""
    done = list(outcomes)
    by_seed: dict[int, RecordScores] = {}
    for outcome in done:
        by_seed.setdefault(outcome.trial.seed, RecordScores()).merge(outcome.records)
    made = of_records(shop, by_seed.values())
    for outcome in done:
        for name, score in found_incidents(outcome.staged, outcome.alarms).items():
            made.incidents.setdefault(name, IncidentScore()).add(score)
    kinds: tuple[What, ...] = ("quiet", "faults", "incidents")
    for what in kinds:
        streams = [outcome for outcome in done if outcome.trial.what == what]
        if not streams:
            continue
        names: dict[str, int] = {}
        for outcome in streams:
            for alarm in unexplained(outcome.staged, outcome.alarms, SETTLE):
                names[alarm.name] = names.get(alarm.name, 0) + 1
        weeks = sum(outcome.seconds for outcome in streams) / WEEK
        made.alarms[what] = Alarms(sum(names.values()), weeks, names)
    return made


def _mean(values: Iterable[float | None]) -> float | None:
    told = [value for value in values if value is not None]
    return fmean(told) if told else None


def shown(value: float | None) -> str:
    """A share to three digits, rounded down: 1.000 is all of them."""
    return "–" if value is None else f"{int(value * 1000) / 1000:.3f}"
