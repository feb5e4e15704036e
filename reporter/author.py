"""Authors of reports: the model with its gate, if there is one, and otherwise the template."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import msgspec
from msgspec import UNSET, UnsetType

from reporter import choice, gate, template
from reporter.answer import Call, Failure, Reply
from reporter.claims import claims_of
from reporter.draft import Draft
from reporter.facts import Facts
from reporter.gate import Verdict
from reporter.prompt import VERSION, first_messages, repair_messages
from reporter.texts import Texts

log = logging.getLogger(__name__)

#: Maximum number of replies: the first, and one corrected.
ATTEMPTS = 2
#: Maximum number of problems of one reply that are stored.
MOST_PROBLEMS = 20


#: How a report came about, see ``Provenance``.
Outcome = Literal["passed", "repaired", "partial", "template"]


class Tokens(msgspec.Struct, frozen=True):
    """Tokens of all questions and replies."""

    input: int
    output: int


class Provenance(msgspec.Struct, frozen=True):
    """How a report came about, stored with it; from ``attempts`` on only if a model was asked.

    Attributes:
        outcome: the model's first reply passed, its corrected reply did, part of it was left out, or the template wrote the
            report.
        reason: why the template wrote it: ``off``, ``gate`` or the reason of a ``Failure``.
        own_words: share of the model's own words that were published; None if it wrote none.
        problems: codes of the problems of each reply.
    """

    outcome: Outcome
    reason: str | None
    attempts: int | UnsetType = UNSET
    repaired: bool | UnsetType = UNSET
    own_words: float | UnsetType | None = UNSET
    problems: list[list[str]] | UnsetType = UNSET
    tokens: Tokens | UnsetType = UNSET
    seconds: float | UnsetType = UNSET

    def to_dict(self) -> dict[str, Any]:
        """Return it as it is stored."""
        stored: dict[str, Any] = msgspec.to_builtins(self)
        return stored


@dataclass(frozen=True, slots=True)
class Written:
    """A draft that may be published. ``counts``: increments of the reporter's counters."""

    draft: Draft
    by: Literal["model", "template"]
    model: str | None
    prompt: str
    provenance: Provenance
    counts: dict[str, int] = field(default_factory=dict)


class Author(Protocol):
    """Writes drafts. Never raises: whatever happens to a model, there is a draft of claims."""

    def write(self, facts: Facts, texts: Texts) -> Written:
        """Return a draft of the facts in the language of ``texts``."""


class TemplateAuthor:
    """Writes without a model."""

    def write(self, facts: Facts, texts: Texts) -> Written:
        """Write the report by template, because no model is set."""
        return self.write_instead(facts, texts, "off", Attempts())

    def write_instead(self, facts: Facts, texts: Texts, reason: str, attempts: Attempts) -> Written:
        """Write the report by template. ``reason``: why no model does; ``attempts``: what it was asked before."""
        counts = {"reports": 1, "by_template": 1, f"why:{reason}": 1}
        draft = template.write(facts, texts)
        if reason == "off":
            return Written(draft, "template", None, VERSION, Provenance("template", reason), counts)
        return Written(draft, "template", None, VERSION, attempts.provenance("template", reason), counts | attempts.counts())


@dataclass(slots=True)
class Attempts:
    """The replies to one report's questions, and the gate's verdicts on them."""

    replies: list[Reply] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

    def best(self) -> Verdict | None:
        """Return the best verdict: one that passed, else the one that keeps most of the model's own words."""
        usable = [one for one in self.verdicts if one.choice is not None]
        return max(usable, key=lambda one: (one.passed, one.kept, -len(one.problems)), default=None)

    def provenance(self, outcome: Outcome, reason: str | None) -> Provenance:
        """Summarise the attempts."""
        return Provenance(
            outcome=outcome,
            reason=reason,
            attempts=len(self.replies),
            repaired=len(self.verdicts) > 1 and self.verdicts[-1].passed,
            own_words=best.survival if (best := self.best()) else None,
            problems=[[problem.code for problem in verdict.problems][:MOST_PROBLEMS] for verdict in self.verdicts],
            tokens=Tokens(sum(reply.tokens_in for reply in self.replies), sum(reply.tokens_out for reply in self.replies)),
            seconds=round(sum(reply.seconds for reply in self.replies), 2),
        )

    def counts(self) -> dict[str, int]:
        """Return the increments of the reporter's counters."""
        counted: dict[str, int] = {"calls": len(self.replies)}
        for verdict in self.verdicts:
            for problem in verdict.problems:
                counted[f"problem:{problem.code}"] = counted.get(f"problem:{problem.code}", 0) + 1
        if self.verdicts:
            best = self.best()
            counted["own_words"] = best.own if best else 0
            counted["own_kept"] = best.kept if best else 0
        counted["tokens_in"] = sum(reply.tokens_in for reply in self.replies)
        counted["tokens_out"] = sum(reply.tokens_out for reply in self.replies)
        return counted


class ModelAuthor:
    """Asks a model and checks its reply; asks once more with the problems, and publishes what may be published.

    If none of the replies is of the schema, the template writes the report.

    Args:
        call: asks the endpoint.
        start: starts the deadline of one report, which returns the seconds left when called.
    """

    def __init__(self, call: Call, start: Callable[[], Callable[[], float]]) -> None:
        self._call = call
        self._start = start
        self._template = TemplateAuthor()

    def write(self, facts: Facts, texts: Texts) -> Written:
        """Write the report."""
        seconds_left = self._start()
        attempts = Attempts()
        claims = claims_of(facts, texts)
        messages = first_messages(facts, claims)
        reason = "gate"
        for _ in range(ATTEMPTS):
            answer = self._call.ask(messages, seconds_left())
            if isinstance(answer, Failure):
                log.warning("the model did not write the report: %s", answer)
                reason = answer.reason
                break
            verdict = gate.check(answer.content, claims, facts)
            attempts.replies.append(answer)
            attempts.verdicts.append(verdict)
            if verdict.passed:
                break
            messages = repair_messages(messages, answer.content, verdict)
        best = attempts.best()
        if best is None or best.choice is None:
            log.warning("the template writes the report (%s)", reason)
            return self._template.write_instead(facts, texts, reason, attempts)
        repaired = best.passed and len(attempts.verdicts) > 1
        outcome: Outcome = "repaired" if repaired else "passed" if best.passed else "partial"
        counts = {"reports": 1, "by_model": 1, "repaired": int(repaired), "partial": int(not best.passed)} | attempts.counts()
        draft = choice.assemble(best.choice, claims, facts.related)
        return Written(draft, "model", self._call.model, VERSION, attempts.provenance(outcome, None), counts)
