"""Incidents of one cause belong together: one of them names it, the others are its details.

Of two incidents of one entity that begin within a few windows of each other, one explains the other if it is about what the
other is made of (no records: no revenue, another mix), or if both are about the same segment value.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import NamedTuple

from msgspec.structs import replace

from stream_app.monitor.headline import headline, money_of, share, what
from stream_app.monitor.incident import Incident

#: Windows between the starts of two incidents of one cause.
_NEAR = 3
#: Shares that differ by less than this part are taken to be of the same records.
_SAME = 0.15
#: The kind of a metric → the kinds that it explains.
_EXPLAINS: dict[str, frozenset[str]] = {
    "drift": frozenset({"drift", "conformity", "finding", "null", "threshold", "revenue", "average_order", "mix"}),
    "volume": frozenset({"revenue", "mix", "threshold"}),
    "mix": frozenset({"volume", "revenue"}),
    "average_order": frozenset({"revenue", "finding", "conformity"}),
    "conformity": frozenset({"finding", "revenue", "average_order", "threshold", "null", "mix"}),
    "finding": frozenset({"finding", "threshold", "null", "revenue", "average_order"}),
    "null": frozenset({"threshold"}),
}
#: What names a cause best, first.
_NAMES = ("lost", "drift", "volume", "mix", "average_order", "conformity", "finding", "revenue", "null", "threshold")


class Cause(NamedTuple):
    """``lead`` names the cause; ``details`` are the other incidents that it explains."""

    lead: Incident
    details: tuple[Incident, ...] = ()

    @property
    def all(self) -> tuple[Incident, ...]:
        """The lead and its details."""
        return self.lead, *self.details

    @property
    def severity(self) -> str:
        """The worst severity of all."""
        return "error" if any(one.severity == "error" for one in self.all) else "warning"

    @property
    def is_open(self) -> bool:
        """True if one of them is open."""
        return any(one.state == "open" for one in self.all)

    @property
    def start(self) -> int:
        """The start (s) of the first."""
        return min(one.start for one in self.all)

    @property
    def end(self) -> int:
        """The end (s) of the last, so far."""
        return max(one.end for one in self.all)

    @property
    def effect(self) -> float | None:
        """Money of the cause, not added up: the incidents are about the same records. None if unknown.

        That of the lead; more if another incident about the same segment value has begun before it.
        """
        own = money_of(self.lead)
        known = [found for one in self.details if (found := money_of(one)) is not None and (own is None or self._same(one))]
        if own is not None:
            known = [own, *(found for found in known if found * own > 0)]
        return max(known, key=abs) if known else None

    @property
    def shown(self) -> Incident:
        """The lead with state, time and money of the whole cause."""
        state = "open" if self.is_open else "closed"
        return replace(self.lead, state=state, start=self.start, end=self.end, effect=self.effect)

    @property
    def reason(self) -> Incident | None:
        """The detail that says what is wrong with the records, where the lead says only what comes of it."""
        kind = _kind(self.lead)
        if kind == "drift":
            return next((one for one in self.details if one.metric.endswith(":appeared") and _as_often(self.lead, one)), None)
        if kind not in {"conformity", "average_order", "revenue"}:
            return None
        found = [one for one in self.details if _kind(one) in {"finding", "drift"}]
        return max(found, key=lambda one: (one.observed, one.id), default=None)

    def _same(self, other: Incident) -> bool:
        mine, its = self.lead.segment, other.segment
        return mine is not None and its is not None and mine[:2] == its[:2]


def title(cause: Cause, currency: str | None = None, zone: tzinfo = UTC) -> str:
    """Return the title of a cause: what happened and what is wrong with the records, where, since when, and the money."""
    reason = cause.reason
    because = "" if reason is None else what(reason).partition(" (")[0]
    return headline(cause.shown, currency, zone, because=because)


def causes(incidents: Sequence[Incident]) -> list[Cause]:
    """Return the causes of incidents, the most severe first: errors, then by money, then by share."""
    again = [one for one in incidents if _finds_repeats(one)]
    # Records that are sent again are more records: what says so names the cause.
    rest = sorted(incidents, key=lambda one: (_is_more(one) and any(_together(one, other) for other in again), *_rank(one)))
    found: list[Cause] = []
    taken: set[str] = set()
    near: dict[tuple[str, str, int], list[Incident]] = {}
    for one in rest:
        near.setdefault((one.entity, one.grain, _block(one)), []).append(one)
    for lead in rest:
        if lead.id in taken:
            continue
        taken.add(lead.id)
        block = _block(lead)
        close = [one for at in (block - 1, block, block + 1) for one in near.get((lead.entity, lead.grain, at), ())]
        details = [one for one in close if one.id not in taken and explains(lead, one)]
        if any(map(_finds_repeats, (lead, *details))):
            more = [one for one in close if one.id not in taken and one not in details and _is_more(one)]
            details += [one for one in more if _together(lead, one)]
        details.sort(key=_rank)
        taken.update(one.id for one in details)
        found.append(Cause(lead, tuple(details)))
    return ranked(found)


def ranked(found: Sequence[Cause]) -> list[Cause]:
    """Return causes in the order of what they are worth."""
    return sorted(
        found,
        key=lambda one: (one.severity != "error", -abs(one.effect or 0.0), -share(one.lead), -one.start, one.lead.id),
    )


def cause_of(found: Sequence[Cause], incident_id: str) -> Cause | None:
    """Return the cause that an incident belongs to; None if no cause has it."""
    return next((cause for cause in found if any(one.id == incident_id for one in cause.all)), None)


def explains(lead: Incident, other: Incident) -> bool:
    """True if two incidents are taken to have one cause, which ``lead`` names."""
    if not _together(lead, other):
        return False
    if lead.segment is not None and other.segment is not None and lead.segment[:2] == other.segment[:2]:
        return True
    kind, kind_of_other = _kind(lead), _kind(other)
    if kind == "finding" and kind_of_other == "finding":
        # About as many records: the same ones.
        return _as_often(lead, other)
    if lead.segment is not None and kind == "mix" and kind_of_other == "volume":
        # A value that is gone does not explain that everything is low.
        return (
            other.direction == "low"
            and lead.segment[2] < lead.segment[3]
            and other.segment is None
            and share(other) <= 1.5 * (lead.segment[3] - lead.segment[2])
        )
    return kind_of_other in _EXPLAINS.get(kind, ())


def _finds_repeats(incident: Incident) -> bool:
    return incident.metric.startswith("finding:") and incident.metric.endswith(".unique")


def _is_more(incident: Incident) -> bool:
    return incident.metric == "volume" and incident.direction == "high"


def _together(one: Incident, other: Incident) -> bool:
    """True if two incidents of one entity begin near each other and overlap."""
    if (one.entity, one.grain) != (other.entity, other.grain) or abs(one.start - other.start) > _NEAR * one.grain.seconds:
        return False
    return one.start < other.end and other.start < one.end


def _block(incident: Incident) -> int:
    """The number of the stretch of time that it begins in: what is near is in the same stretch, or in one beside it."""
    return incident.start // (_NEAR * incident.grain.seconds)


def _as_often(one: Incident, other: Incident) -> bool:
    return abs(one.observed - other.observed) <= _SAME * max(one.observed, other.observed)


def _kind(incident: Incident) -> str:
    return incident.metric.partition(":")[0]


def _rank(incident: Incident) -> tuple[int, bool, bool, int, str]:
    kind = _kind(incident)
    order = _NAMES.index(kind) if kind in _NAMES else len(_NAMES)
    # A volume that one segment value explains is named by that value: it comes before the mix.
    if kind == "volume" and incident.segment is None and incident.observed > 0:
        order = _NAMES.index("mix") + 1 if incident.direction == "low" else order
    # A field that is missing says more than one that is new.
    return order, incident.severity != "error", incident.metric.endswith(":appeared"), incident.start, incident.id
