"""Incidents of one cause belong together: one of them names it, the others are its details.

Of two incidents of one entity that begin within a few windows of each other, one explains the other if it is about what the
other is made of (no records: no revenue, another mix), or if both are about the same segment value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stream_app.monitor.headline import share
from stream_app.monitor.incident import Incident

#: Windows between the starts of two incidents of one cause.
_NEAR = 3
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
        """Money of the cause, not added up: the incidents are about the same records. None if unknown."""
        if self.lead.effect is not None:
            return self.lead.effect
        known = [one.effect for one in self.details if one.effect is not None]
        return max(known, key=abs) if known else None


def causes(incidents: Sequence[Incident]) -> list[Cause]:
    """Return the causes of incidents, the most severe first: errors, then by money, then by share."""
    rest = sorted(incidents, key=_rank)
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
        details = sorted((one for one in close if one.id not in taken and explains(lead, one)), key=_rank)
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
    if (lead.entity, lead.grain) != (other.entity, other.grain):
        return False
    if abs(lead.start - other.start) > _NEAR * lead.grain.seconds:
        return False
    if lead.start >= other.end or other.start >= lead.end:
        return False
    if lead.segment is not None and other.segment is not None and lead.segment[:2] == other.segment[:2]:
        return True
    kind, kind_of_other = _kind(lead), _kind(other)
    if kind == "finding" and kind_of_other == "finding":
        # About as many records: the same ones.
        return abs(lead.observed - other.observed) <= 0.15 * max(lead.observed, other.observed)
    if lead.segment is not None and kind == "mix" and kind_of_other == "volume":
        # A value that is gone does not explain that everything is low.
        return (
            other.direction == "low"
            and lead.segment[2] < lead.segment[3]
            and other.segment is None
            and share(other) <= 1.5 * (lead.segment[3] - lead.segment[2])
        )
    return kind_of_other in _EXPLAINS.get(kind, ())


def _block(incident: Incident) -> int:
    """The number of the stretch of time that it begins in: what is near is in the same stretch, or in one beside it."""
    return incident.start // (_NEAR * incident.grain.seconds)


def _kind(incident: Incident) -> str:
    return incident.metric.partition(":")[0]


def _rank(incident: Incident) -> tuple[int, bool, int, str]:
    kind = _kind(incident)
    order = _NAMES.index(kind) if kind in _NAMES else len(_NAMES)
    # A volume that one segment value explains is named by that value: it comes before the mix.
    if kind == "volume" and incident.segment is None and incident.observed > 0:
        order = _NAMES.index("mix") + 1 if incident.direction == "low" else order
    return order, incident.severity != "error", incident.start, incident.id
