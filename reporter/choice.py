"""A choice among claims, by a model or by the template, and the draft that it makes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from reporter.claims import CONFIDENCES, Claim, Section
from reporter.draft import Draft, Event, Said

#: Maximum number of statements in a section; what must be said may exceed it.
MOST_ITEMS: dict[Section, int] = {"summary": 7, "anomalies": 8, "hypotheses": 4, "impact": 5, "recommendations": 6}
#: Maximum number of events that a report begins with.
MOST_EVENTS = 3
#: Maximum number of facts that are printed beside a text.
MOST_FACTS = 6


@dataclass(frozen=True, slots=True)
class Opinion:
    """A model's own words, and the claims that they rest on."""

    section: Literal["hypotheses", "recommendations"]
    text: str
    claims: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Ids of claims in the order in which they are stated, and opinions. All of them were checked by the gate."""

    headline: str
    claims: tuple[str, ...]
    opinions: tuple[Opinion, ...] = ()


def default(claims: Mapping[str, Claim]) -> Choice:
    """Return the template's choice."""
    chosen = [one for one in claims.values() if one.default or one.must]
    headline = next(one.id for one in chosen if one.section == "headline")
    return Choice(headline, tuple(one.id for one in chosen if one.section != "headline"))


def assemble(choice: Choice, claims: Mapping[str, Claim], related: Mapping[str, tuple[str, ...]]) -> Draft:
    """Return the draft of a choice. What must be said is in it; a section without a chosen claim gets the default ones.

    Args:
        related: prefix of an incident or a segment → prefixes of the rules that it is about.
    """
    usual = default(claims)
    made = Draft(
        headline=_said(claims[choice.headline]),
        summary=_section("summary", choice, usual, claims),
        anomalies=_section("anomalies", choice, usual, claims),
        hypotheses=_section("hypotheses", choice, usual, claims),
        impact=_section("impact", choice, usual, claims),
        recommendations=_section("recommendations", choice, usual, claims),
    )
    return replace(made, events=_events(made, claims, related))


def _events(draft: Draft, claims: Mapping[str, Claim], related: Mapping[str, tuple[str, ...]]) -> list[Event]:
    """Return the first anomalies, each with its money, cause and action; an anomaly of the same rule is the same event."""
    events: list[Event] = []
    seen: set[str] = set()
    stated = [one for one in claims.values() if one.section == "impact" and _is_money(one)]
    for what in draft.anomalies:
        about = {what.subject, *related.get(what.subject, ())}
        if what.subject in {"", "all"} or what.subject.startswith("together.") or seen & about:
            continue
        seen |= about
        money = claims.get(f"impact.{what.subject}") if what.subject.startswith("incident.") else None
        money = money or next((one for one in stated if one.subject in about), None)
        owner = claims.get(f"anomalies.owner.{what.subject}")
        events.append(
            Event(
                what=what,
                money=None if money is None else replace(_said(money), text=money.short or money.source),
                cause=_about(draft.hypotheses, about, claims, related),
                action=_about(draft.recommendations, about, claims, related),
                owner=None if owner is None else replace(_said(owner), text=owner.short or owner.source),
            )
        )
    return events[:MOST_EVENTS]


def _is_money(claim: Claim) -> bool:
    """True if a claim says what its subject costs or puts at risk."""
    return any(f"{claim.subject}.{figure}" in claim.facts for figure in ("at_risk", "below", "above"))


def _about(
    said: Sequence[Said], about: set[str], claims: Mapping[str, Claim], related: Mapping[str, tuple[str, ...]]
) -> Said | None:  # fmt: skip
    """Return the first statement about one of these subjects, else the first opinion about one of them."""
    for one in said:
        if not one.opinion and {one.subject, *related.get(one.subject, ())} & about:
            return one
    return next((one for one in said if one.opinion and {claims[id_].subject for id_ in one.claims} & about), None)


def _section(section: Section, choice: Choice, usual: Choice, claims: Mapping[str, Claim]) -> list[Said]:
    chosen = [one for one in dict.fromkeys(choice.claims) if claims[one].section == section]
    missing = [one.id for one in claims.values() if one.section == section and one.must and one.id not in chosen]
    if not chosen:
        chosen, missing = [one for one in usual.claims if claims[one].section == section], []
    musts = [one for one in chosen if claims[one].must]
    room = max(0, MOST_ITEMS[section] - len(musts) - len(missing))
    kept = {*musts, *[one for one in chosen if one not in musts][:room]}
    stated = [_said(claims[one]) for one in [*missing, *(one for one in chosen if one in kept)]]
    return stated + [opinion_said(one, claims) for one in choice.opinions if one.section == section]


def _said(claim: Claim) -> Said:
    if claim.section != "hypotheses":
        return Said(claim.source, claim.subject)
    return Said(claim.source, claim.subject, rests_on=claim.facts[:MOST_FACTS], confidence=claim.confidence)


def opinion_said(opinion: Opinion, claims: Mapping[str, Claim]) -> Said:
    """Return an opinion with the figures of its claims beside it, and the confidence of its weakest claim."""
    return Said(
        opinion.text, claims=opinion.claims, opinion=True, rests_on=evidence([claims[one] for one in opinion.claims]),
        confidence=min((claims[one].confidence for one in opinion.claims), key=CONFIDENCES.index),
    )  # fmt: skip


def evidence(claims: Sequence[Claim]) -> tuple[str, ...]:
    """Return the facts of claims that are printed beside an opinion: each claim's in turn, so that none is left out."""
    longest = max((len(one.facts) for one in claims), default=0)
    turns = [one.facts[at] for at in range(longest) for one in claims if at < len(one.facts)]
    return tuple(dict.fromkeys(turns))[:MOST_FACTS]
