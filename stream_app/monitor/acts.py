"""Acts of people on an incident, and what follows from them: its life, mutes, and less sensitivity. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

import msgspec

from stream_app.monitor.tuning import Tuning

Kind = Literal["acknowledged", "assigned", "muted", "note", "expected", "false_alarm", "resolved", "reopened"]
KINDS: tuple[Kind, ...] = get_args(Kind)
#: Kinds after which nobody has to do anything about the incident.
SETTLED = frozenset({"expected", "false_alarm", "resolved"})
#: Longest name of a person, and longest text, in characters.
NAME, TEXT = 200, 1_000
#: Factor on the deviations of a metric for each of its false alarms, and the least factor.
_LESS, _LEAST = 0.85, 0.5
#: Seconds of the stream for which a false alarm counts.
_COUNTS = 90 * 86_400


class Act(msgspec.Struct, frozen=True):
    """One act of a person.

    Attributes:
        id: of the act; the same act is kept once.
        incident, entity, metric: of the incident that names the cause.
        others, metrics: ids and metrics of the other incidents of the cause, when it happened; the act is about them, too.
        by: who; at: when (ms since the epoch, wall clock).
        text: a note. ``to``: who it is assigned to. ``until``: end of a mute (s since the epoch, wall clock).
        judged: event time (s) up to which the monitor had judged windows; the act changes nothing before it.
    """

    id: str
    incident: str
    entity: str
    metric: str
    kind: Kind
    by: str
    at: int
    text: str = ""
    to: str = ""
    until: int | None = None
    judged: int = 0
    others: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()

    @property
    def incidents(self) -> frozenset[str]:
        """The ids of all incidents that it is about."""
        return frozenset((self.incident, *self.others))

    def __post_init__(self) -> None:
        """Refuse what cannot be kept.

        Raises:
            ValueError: what is missing or too long.
        """
        if not self.by.strip() or len(self.by) > NAME or len(self.to) > NAME:
            raise ValueError(f"a name has 1 to {NAME} characters")
        if len(self.text) > TEXT:
            raise ValueError(f"a note has at most {TEXT} characters")
        if self.kind == "assigned" and not self.to.strip():
            raise ValueError("name the person that the incident is assigned to")
        if self.kind == "muted" and self.until is None:
            raise ValueError("give the end of the mute")
        if self.kind == "note" and not self.text.strip():
            raise ValueError("a note needs a text")

    def to_json(self) -> str:
        """Return compact JSON with the attributes as names."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Act:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: the text is not the JSON of an act.
        """
        return _ACTS.decode(text)


_ACTS = msgspec.json.Decoder(Act)


@dataclass(frozen=True, slots=True)
class Life:
    """The state that people have put a cause into.

    Attributes:
        state: new, acknowledged, expected, false_alarm or resolved.
        by, at: who put it into this state, and when (ms).
        owner: who it is assigned to. ``muted``: end (s) of the latest mute.
        acts: all acts, oldest first.
    """

    state: str = "new"
    by: str = ""
    at: int = 0
    owner: str = ""
    muted: int = 0
    acts: tuple[Act, ...] = ()

    @property
    def incidents(self) -> frozenset[str]:
        """The ids of all incidents that its acts are about."""
        return frozenset().union(*(act.incidents for act in self.acts))

    @property
    def metrics(self) -> frozenset[str]:
        """The metrics of all incidents that its acts are about."""
        return frozenset(metric for act in self.acts for metric in (act.metric, *act.metrics))

    @property
    def settled(self) -> bool:
        """True if nobody has to do anything."""
        return self.state in SETTLED


#: The life of an incident that nobody has looked at.
NEW = Life()


def life_of(acts: Iterable[Act]) -> Life:
    """Return the life that acts make, whatever their order."""
    life = Life()
    for act in sorted(acts, key=lambda one: (one.at, one.id)):
        if act.kind == "assigned":
            life = replace(life, owner=act.to)
        elif act.kind == "muted":
            life = replace(life, muted=act.until or 0)
        elif act.kind != "note":
            life = replace(life, state="new" if act.kind == "reopened" else act.kind, by=act.by, at=act.at)
        life = replace(life, acts=(*life.acts, act))
    return life


def lives_of(acts: Iterable[Act]) -> list[Life]:
    """Return the lives of causes: acts that have an incident in common belong to one."""
    #: Incident → another one of its cause, up to one that stands for all.
    above: dict[str, str] = {}

    def root(incident: str) -> str:
        while (up := above.setdefault(incident, incident)) != incident:
            above[incident] = above[up]
            incident = up
        return incident

    known = list(acts)
    for act in known:
        for other in act.others:
            above[root(other)] = root(act.incident)
    by_cause: dict[str, list[Act]] = {}
    for act in known:
        by_cause.setdefault(root(act.incident), []).append(act)
    return [life_of(found) for found in by_cause.values()]


def life_of_cause(ids: Iterable[str], acts: Iterable[Act]) -> Life:
    """Return the life of a cause: an act on any of its incidents is about all of them."""
    wanted = set(ids)
    return life_of(act for act in acts if not wanted.isdisjoint(act.incidents))


def muted(acts: Iterable[Act], entity: str, now: int) -> list[Life]:
    """Return the lives of the causes of an entity that are muted at ``now`` (s, wall clock)."""
    own = [act for act in acts if act.entity == entity]
    if not any(act.until is not None and act.until > now for act in own):
        return []
    return [life for life in lives_of(own) if life.muted > now]


def tuned(tuning: Tuning, acts: Iterable[Act], entity: str, at: int) -> Tuning:
    """Return the tuning for a window of an entity that starts at ``at`` (s): metrics with false alarms are less sensitive.

    An act counts from the windows on that were not judged when it happened, so that judging windows again gives the same.
    """
    alarms: dict[str, int] = {}
    own = [one for one in acts if one.entity == entity and one.judged <= at]
    for life in lives_of(own) if any(one.kind == "false_alarm" for one in own) else ():
        if life.state == "false_alarm" and at - max(one.judged for one in life.acts) < _COUNTS:
            for metric in life.metrics:
                alarms[metric] = alarms.get(metric, 0) + 1
    if not alarms:
        return tuning
    factors: Mapping[str, float] = {
        metric: tuning.factor(metric) * max(_LEAST, _LESS**number) for metric, number in alarms.items()
    }
    return replace(tuning, sensitivity={**tuning.sensitivity, **factors})
