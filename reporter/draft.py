"""A report before its references are rendered: sentences of claims, and opinions of a model. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

#: A reference to a fact in a text: ``{{all.conformity}}``.
REFERENCE = re.compile(r"\{\{([A-Za-z0-9_.]+)\}\}")


@dataclass(frozen=True, slots=True)
class Said:
    """One text with references to facts.

    Attributes:
        subject: prefix of the facts that it is about; empty for an opinion.
        claims: ids of the claims that an opinion rests on.
        opinion: the words are a model's own.
        rests_on: ids of the facts that are printed beside it.
        confidence: computed from the evidence; None if the text is neither hypothesis nor opinion.
    """

    text: str
    subject: str = ""
    claims: tuple[str, ...] = ()
    opinion: bool = False
    rests_on: tuple[str, ...] = ()
    confidence: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One of the few events that a report begins with.

    Attributes:
        what: what happened; ``money``: what it costs or puts at risk; ``cause`` and ``action`` as they are in the sections;
            ``owner``: who has it.
    """

    what: Said
    money: Said | None = None
    cause: Said | None = None
    action: Said | None = None
    owner: Said | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A report whose texts contain every figure and name as a reference."""

    headline: Said
    summary: list[Said] = field(default_factory=list)
    anomalies: list[Said] = field(default_factory=list)
    hypotheses: list[Said] = field(default_factory=list)
    impact: list[Said] = field(default_factory=list)
    recommendations: list[Said] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


def references(text: str) -> list[str]:
    """Return the ids that a text refers to, in order."""
    return REFERENCE.findall(text)
