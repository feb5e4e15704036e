"""The report as it is stored: sections of rendered texts, each with its source, and the key figures. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from reporter.draft import REFERENCE, Draft, Event, Said
from reporter.facts import Fact, Facts
from reporter.formats import MINUS
from reporter.texts import Texts

SectionKey = Literal["summary", "anomalies", "hypotheses", "impact", "recommendations"]
SECTIONS: tuple[SectionKey, ...] = ("summary", "anomalies", "hypotheses", "impact", "recommendations")
#: Key figures, in this order, as far as they are facts.
KEY_FIGURES = (
    "sales.revenue", "sales.revenue.usual", "sales.orders", "sales.orders.usual", "all.valid", "all.conformity", "all.rejected",
    "all.at_risk", "all.records", "all.findings", "sales.cancelled", "sales.customers", "sales.visits",
    "sales.conversion", "sales.average",
)  # fmt: skip
#: Number of key figures that are shown first.
FIRST_FIGURES = 5


class Headline(msgspec.Struct, frozen=True):
    """``text`` with figures, and its ``source`` with references."""

    text: str
    source: str


class Item(msgspec.Struct, frozen=True):
    """One text of a section; ``confidence`` and ``rests_on`` (ids of facts) only of a hypothesis or an opinion.

    Attributes:
        opinion: the words are the model's own.
    """

    text: str
    source: str
    hypothesis: bool
    opinion: bool = False
    confidence: str | UnsetType = UNSET
    rests_on: list[str] | UnsetType = UNSET


class Section(msgspec.Struct, frozen=True):
    """One section with its title in the report's language."""

    key: SectionKey
    title: str
    items: list[Item]


class Happened(msgspec.Struct, frozen=True):
    """One of at most three events that the report begins with; what is not known is None."""

    what: Item
    money: Item | None = None
    cause: Item | None = None
    action: Item | None = None
    owner: Item | None = None


class KeyFigure(msgspec.Struct, frozen=True):
    """A row of the table of key figures; ``before`` and ``change`` are empty if unknown, ``tone`` is good, bad or empty."""

    id: str
    label: str
    now: str
    before: str
    change: str
    tone: str


class Report(msgspec.Struct, frozen=True):
    """A rendered report. ``model`` is None if the template wrote it; ``prompt`` is the version of the prompt."""

    title: str
    headline: Headline
    sections: list[Section]
    figures: list[KeyFigure]
    written_by: Literal["model", "template"]
    model: str | None
    prompt: str
    language: str
    events: list[Happened] = []

    def to_dict(self) -> dict[str, Any]:
        """Return the report as it is stored."""
        stored: dict[str, Any] = msgspec.to_builtins(self)
        return stored

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Report:
        """Read what ``to_dict`` wrote.

        Raises:
            ValueError: anything else.
        """
        return msgspec.convert(stored, cls)


def report_of(
    draft: Draft, facts: Facts, texts: Texts, *, written_by: Literal["model", "template"], model: str | None, prompt: str
) -> Report:
    """Render a draft.

    Raises:
        KeyError: the draft refers to a missing fact; claims refer to none.
    """
    return Report(
        title=texts("sections", "title"),
        headline=Headline(with_figures(draft.headline.text, facts), draft.headline.text),
        sections=[
            Section(key, texts("sections", key), [_item(item, key, facts) for item in getattr(draft, key)]) for key in SECTIONS
        ],
        figures=_key_figures(facts),
        written_by=written_by,
        model=model,
        prompt=prompt,
        language=texts.language,
        events=[_happened(one, facts) for one in draft.events],
    )


def with_figures(text: str, facts: Facts) -> str:
    """Replace the references in a text by the texts of their facts."""
    return REFERENCE.sub(lambda found: facts.rendering(found[1]), text)


def _happened(event: Event, facts: Facts) -> Happened:
    def item(said: Said | None, section: SectionKey) -> Item | None:
        return None if said is None else _item(said, section, facts)

    return Happened(
        what=_item(event.what, "anomalies", facts),
        money=item(event.money, "impact"),
        cause=item(event.cause, "hypotheses"),
        action=item(event.action, "recommendations"),
        owner=item(event.owner, "anomalies"),
    )


def _item(said: Said, section: SectionKey, facts: Facts) -> Item:
    return Item(
        with_figures(said.text, facts),
        said.text,
        hypothesis=section == "hypotheses",
        opinion=said.opinion,
        confidence=UNSET if said.confidence is None else said.confidence,
        rests_on=UNSET if said.confidence is None else list(said.rests_on),
    )


def _key_figures(facts: Facts) -> list[KeyFigure]:
    rows = []
    shown = [one for fact_id in KEY_FIGURES for one in (fact_id, *_by_currency(fact_id, facts))]
    for fact_id in [*shown, *(one for one in facts.all if one.startswith("dimension.") and one.count(".") == 1)]:
        fact = facts.all.get(fact_id)
        if fact is None:
            continue
        before, change = facts.all.get(f"{fact_id}.previous"), facts.all.get(f"{fact_id}.change")
        # A rise of revenue that an incident makes doubtful is not good news.
        doubtful = bool(facts.doubts) and fact_id.startswith("sales.")
        rows.append(
            KeyFigure(
                id=fact_id,
                label=fact.label,
                now=fact.rendering,
                before=before.rendering if before else "",
                change=change.rendering if change else "",
                tone="" if doubtful else _tone(change),
            )
        )
    return rows


def _by_currency(fact_id: str, facts: Facts) -> list[str]:
    """Return the ids of the amounts in each currency that a figure of money is made of."""
    return [one for one in facts.all if one.startswith(f"{fact_id}_") and one.count(".") == fact_id.count(".")]


def _tone(change: Fact | None) -> str:
    """Return ``good`` or ``bad`` by the direction of a change; empty if there is none, or neither direction is better."""
    if change is None or not change.better or isinstance(change.value, str) or not change.rendering.startswith(("+", MINUS)):
        return ""
    return "good" if (change.value > 0) == (change.better == "higher") else "bad"
