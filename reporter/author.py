"""Who writes a report: the model behind its gate where there is one, and always, in the end, the template."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from reporter import gate, template
from reporter.answer import Call, Failure, Reply
from reporter.draft import Draft
from reporter.facts import Facts
from reporter.gate import Verdict
from reporter.prompt import VERSION, first_messages, repair_messages
from reporter.texts import Texts

log = logging.getLogger(__name__)

#: A reply and one repair.
ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class Written:
    """A draft that may be published. ``counts``: what to add to the reporter's counters."""

    draft: Draft
    by: Literal["model", "template"]
    model: str | None
    prompt: str
    verdict: dict[str, Any]
    counts: dict[str, int] = field(default_factory=dict)


class Author(Protocol):
    """Writes drafts. Total: whatever happens to a model, there is a draft whose references are all facts."""

    def write(self, facts: Facts, texts: Texts) -> Written: ...


class TemplateAuthor:
    """Writes without a model. ``reason`` says why there is none: ``off``, or what failed."""

    def write(self, facts: Facts, texts: Texts, reason: str = "off", tried: Mapping[str, Any] | None = None) -> Written:
        """The deterministic report, with what was tried before it in the verdict."""
        verdict = {"outcome": "template", "reason": reason, **(tried or {})}
        return Written(
            template.write(facts, texts),
            "template",
            None,
            VERSION,
            verdict,
            {"reports": 1, "by_template": 1, f"why:{reason}": 1},
        )


@dataclass(slots=True)
class _Tried:
    """What the calls of one report came to."""

    replies: list[Reply] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        first = self.verdicts[0] if self.verdicts else None
        return {
            "attempts": len(self.replies),
            "repaired": len(self.verdicts) > 1 and self.verdicts[-1].passed,
            "grounding": None if first is None else first.grounding,
            "problems": [[problem.code for problem in verdict.problems][:20] for verdict in self.verdicts],
            "tokens": {
                "input": sum(reply.tokens_in for reply in self.replies),
                "output": sum(reply.tokens_out for reply in self.replies),
            },
            "seconds": round(sum(reply.seconds for reply in self.replies), 2),
        }

    def counts(self) -> dict[str, int]:
        counted: dict[str, int] = {"calls": len(self.replies)}
        for verdict in self.verdicts:
            for problem in verdict.problems:
                counted[f"problem:{problem.code}"] = counted.get(f"problem:{problem.code}", 0) + 1
        if self.verdicts:
            counted["mentions"] = self.verdicts[0].mentions
            counted["grounded"] = self.verdicts[0].grounded
        counted["tokens_in"] = sum(reply.tokens_in for reply in self.replies)
        counted["tokens_out"] = sum(reply.tokens_out for reply in self.replies)
        return counted


class ModelAuthor:
    """Asks a model, shows its reply to the gate, asks once more with what was wrong, and else writes by template.

    ``call`` asks the endpoint (see ``Call``); ``started`` makes the deadline of one report, seconds left when called.
    """

    def __init__(self, call: Call, started: Callable[[], Callable[[], float]]) -> None:
        self._call = call
        self._started = started
        self._fallback = TemplateAuthor()

    def write(self, facts: Facts, texts: Texts) -> Written:
        left = self._started()
        tried = _Tried()
        messages = first_messages(facts)
        for _ in range(ATTEMPTS):
            answer = self._call.ask(messages, left())
            if isinstance(answer, Failure):
                log.warning("the model did not write the report: %s; the template does", answer)
                return self._instead(facts, texts, answer.reason, tried)
            verdict = gate.check(answer.content, facts, texts)
            tried.replies.append(answer)
            tried.verdicts.append(verdict)
            if verdict.draft is not None:
                repaired = len(tried.verdicts) > 1
                counts = {"reports": 1, "by_model": 1, "repaired": int(repaired)} | tried.counts()
                outcome = {"outcome": "repaired" if repaired else "passed", "reason": None} | tried.to_dict()
                return Written(verdict.draft, "model", self._call.model, VERSION, outcome, counts)
            messages = repair_messages(messages, answer.content, verdict)
        log.warning("the gate refused the model's report twice; the template writes it")
        return self._instead(facts, texts, "gate", tried)

    def _instead(self, facts: Facts, texts: Texts, reason: str, tried: _Tried) -> Written:
        written = self._fallback.write(facts, texts, reason, tried.to_dict())
        written.counts.update(tried.counts())
        return written
