"""Compares truth with what was found: precision and recall of rules, delay of incidents, false alarms. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

#: Findings of a repair are counted under this name: a fault that cleaning repairs must be repaired, and nothing else.
REPAIR = "(repaired)"
#: Seconds of a week.
WEEK = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Truth:
    """What was done to one record: see ``producers.simulator.truth``. ``outcome`` None: whatever comes of it is right."""

    fault: str | None = None
    rule: str | None = None
    also: tuple[str, ...] = ()
    outcome: str | None = "clean"
    incident: str | None = None

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> Truth:
        """Read a record's line of a truth file."""
        return cls(line["fault"], line["rule"], tuple(line.get("also", ())), line["outcome"], line.get("incident"))


FAULTLESS = Truth()


@dataclass(slots=True)
class Score:
    """Of one rule: ``caught`` and ``missed`` records that must break it, ``wrong`` ones found that may not.

    A finding that a fault may cause besides its own rule is neither caught nor wrong.
    """

    caught: int = 0
    missed: int = 0
    wrong: int = 0

    @property
    def precision(self) -> float | None:
        """Share of the findings that are right; None where there is none."""
        found = self.caught + self.wrong
        return self.caught / found if found else None

    @property
    def recall(self) -> float | None:
        """Share of the broken records that were found; None where none was broken."""
        broken = self.caught + self.missed
        return self.caught / broken if broken else None

    def add(self, other: Score) -> None:
        """Count another stream's too."""
        self.caught += other.caught
        self.missed += other.missed
        self.wrong += other.wrong


class RecordScores:
    """Scores of the records of one stream, by (entity, rule); and of outcomes.

    Attributes:
        rules: (entity, rule id or ``REPAIR``) → score.
        records: records compared.
        outcomes: (fault or ``-``, what it had to become, what it became) → records whose outcome is not the expected one.
    """

    def __init__(self) -> None:
        self.rules: dict[tuple[str, str], Score] = {}
        self.records = 0
        self.outcomes: dict[tuple[str, str, str], int] = {}

    def add(self, entity: str, truth: Truth, found: Collection[str], repaired: bool, outcome: str) -> None:
        """Compare one record: the ids of the rules that it was found to break, and what became of it."""
        self.records += 1
        if truth is FAULTLESS and not found and not repaired and outcome == "clean":
            return
        expected = REPAIR if truth.fault is not None and truth.rule is None else truth.rule
        names = {*found, REPAIR} if repaired and expected == REPAIR else set(found)
        if repaired and truth.fault is None and truth.incident is None:
            names.add(REPAIR)
        if expected is not None:
            score = self._score(entity, expected)
            if expected in names:
                score.caught += 1
            else:
                score.missed += 1
        for name in names:
            if name != expected and name not in truth.also:
                self._score(entity, name).wrong += 1
        if truth.outcome is not None and outcome != truth.outcome:
            key = (truth.fault or "-", truth.outcome, outcome)
            self.outcomes[key] = self.outcomes.get(key, 0) + 1

    def merge(self, other: RecordScores) -> None:
        """Count another stream's too."""
        self.records += other.records
        for (entity, rule), score in other.rules.items():
            self._score(entity, rule).add(score)
        for key, count in other.outcomes.items():
            self.outcomes[key] = self.outcomes.get(key, 0) + count

    def _score(self, entity: str, rule: str) -> Score:
        return self.rules.setdefault((entity, rule), Score())


@dataclass(frozen=True, slots=True)
class Staged:
    """An incident that was staged; times in seconds since the epoch, ``visible`` when it can be expected to be noticed."""

    name: str
    start: int
    visible: int
    end: int
    shown_by: tuple[str, ...]

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> Staged:
        """Read an incident's line of a truth file."""
        start, visible, end = (int(datetime.fromisoformat(line[name]).timestamp()) for name in ("start", "visible", "end"))
        return cls(line["incident"], start, visible, end, tuple(line["shown_by"]))


@dataclass(frozen=True, slots=True)
class Alarm:
    """An anomaly that was raised: ``name`` is ``entity:metric``; ``at`` the start of the window in which it was raised."""

    name: str
    at: int
    end: int
    seconds: int


@dataclass(slots=True)
class IncidentScore:
    """Of one kind of incident: the delays in windows of those found (1: in the first window), and how many were not.

    ``by``: which anomaly came first, and how often.
    """

    delays: list[int] = field(default_factory=list)
    missed: int = 0
    by: dict[str, int] = field(default_factory=dict)

    @property
    def in_time(self) -> int:
        """How many were found within two windows."""
        return sum(delay <= 2 for delay in self.delays)

    @property
    def staged(self) -> int:
        """How many there were."""
        return len(self.delays) + self.missed

    def add(self, other: IncidentScore) -> None:
        """Count another stream's too."""
        self.delays += other.delays
        self.missed += other.missed
        for name, count in other.by.items():
            self.by[name] = self.by.get(name, 0) + count


def found_incidents(staged: Iterable[Staged], alarms: Iterable[Alarm]) -> dict[str, IncidentScore]:
    """Kind of incident → its score.

    An alarm shows an incident if it is one of those that must (``shown_by``) and was raised from the window that holds
    the incident's start to the second one after its end. The delay counts windows from the one in which the incident
    became visible, that one included.
    """
    scores: dict[str, IncidentScore] = {}
    raised = sorted(alarms, key=lambda alarm: alarm.at)
    for one in staged:
        score = scores.setdefault(one.name, IncidentScore())
        for alarm in raised:
            if alarm.name in one.shown_by and one.start < alarm.at + alarm.seconds and alarm.at < one.end + 2 * alarm.seconds:
                first = one.visible // alarm.seconds
                score.delays.append(max(1, alarm.at // alarm.seconds - first + 1))
                score.by[alarm.name] = score.by.get(alarm.name, 0) + 1
                break
        else:
            score.missed += 1
    return scores


def unexplained(staged: Collection[Staged], alarms: Iterable[Alarm], settle: int) -> list[Alarm]:
    """The alarms raised while no incident was on, nor in the ``settle`` seconds after one."""
    return [
        alarm
        for alarm in alarms
        if not any(one.start < alarm.at + alarm.seconds and alarm.at < one.end + settle for one in staged)
    ]
