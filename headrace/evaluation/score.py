"""Score findings and alarms against the truth: precision and recall of rules, delay of incidents, false alarms."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

#: Name under which repairs are scored: a fault that cleaning repairs must be repaired, and have no finding.
REPAIR = "(repaired)"
#: Seconds per week.
WEEK = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Truth:
    """The truth about one record: see ``producers.simulator.truth``. ``outcome`` None: any outcome is right."""

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
    """The score of one rule.

    A finding that a fault may cause besides its own rule is neither caught nor wrong.

    Attributes:
        caught: records that must break the rule and were found.
        missed: records that must break the rule and were not found.
        wrong: records that were found without reason.
    """

    caught: int = 0
    missed: int = 0
    wrong: int = 0

    @property
    def precision(self) -> float | None:
        """Share of the findings that are right; None without findings."""
        found = self.caught + self.wrong
        return self.caught / found if found else None

    @property
    def recall(self) -> float | None:
        """Share of the broken records that were found; None without broken records."""
        broken = self.caught + self.missed
        return self.caught / broken if broken else None

    def add(self, other: Score) -> None:
        """Add the counts of another stream."""
        self.caught += other.caught
        self.missed += other.missed
        self.wrong += other.wrong


class RecordScores:
    """The scores of the records of one stream.

    Attributes:
        rules: (entity, rule id or ``REPAIR``) → score.
        records: records compared.
        outcomes: (fault or ``-``, expected outcome, outcome) → records with an unexpected outcome.
    """

    def __init__(self) -> None:
        self.rules: dict[tuple[str, str], Score] = {}
        self.records = 0
        self.outcomes: dict[tuple[str, str, str], int] = {}

    def add(self, entity: str, truth: Truth, found: Collection[str], outcome: str, *, repaired: bool) -> None:
        """Compare one record.

        Args:
            found: ids of the rules that it was found to break.
        """
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
        """Add the counts of another stream."""
        self.records += other.records
        for (entity, rule), score in other.rules.items():
            self._score(entity, rule).add(score)
        for key, count in other.outcomes.items():
            self.outcomes[key] = self.outcomes.get(key, 0) + count

    def _score(self, entity: str, rule: str) -> Score:
        return self.rules.setdefault((entity, rule), Score())


@dataclass(frozen=True, slots=True)
class Staged:
    """A staged incident; times in seconds since the epoch. ``visible``: time from which it can be expected to be noticed."""

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
    """A raised anomaly.

    Attributes:
        name: ``entity:metric``.
        at: start of the window in which it was raised, in seconds since the epoch.
        seconds: length of a window.
    """

    name: str
    at: int
    end: int
    seconds: int


@dataclass(slots=True)
class IncidentScore:
    """The score of one kind of incident.

    Attributes:
        delays: delay in windows of each incident that was found; 1: in the first window.
        missed: incidents that were not found.
        by: anomaly that came first → how often.
    """

    delays: list[int] = field(default_factory=list)
    missed: int = 0
    by: dict[str, int] = field(default_factory=dict)

    @property
    def in_time(self) -> int:
        """Number of incidents that were found within two windows."""
        return sum(delay <= 2 for delay in self.delays)

    @property
    def staged(self) -> int:
        """Number of incidents that were staged."""
        return len(self.delays) + self.missed

    def add(self, other: IncidentScore) -> None:
        """Add the counts of another stream."""
        self.delays += other.delays
        self.missed += other.missed
        for name, count in other.by.items():
            self.by[name] = self.by.get(name, 0) + count


def found_incidents(staged: Iterable[Staged], alarms: Iterable[Alarm]) -> dict[str, IncidentScore]:
    """Return the score of each kind of incident.

    An alarm shows an incident if ``shown_by`` names it and it was raised between the window of the incident's start and the
    second window after its end. The delay counts windows from the one in which the incident became visible, inclusive.
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
    """Return the alarms that were raised neither during an incident nor in the ``settle`` seconds after it."""
    return [
        alarm
        for alarm in alarms
        if not any(one.start < alarm.at + alarm.seconds and alarm.at < one.end + settle for one in staged)
    ]
