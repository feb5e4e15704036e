"""Reads a model's reply: its choice among the claims, and those of its own words that may be published. Pure and total."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reporter import opinions
from reporter.choice import Choice, Opinion, default
from reporter.claims import Claim
from reporter.facts import Facts
from reporter.opinions import Problem

#: Maximum length of a reply, in characters.
LONGEST_REPLY = 60_000
#: Maximum number of claims that a reply chooses, and of opinions of a kind; more are left out.
MOST_CHOSEN, MOST_OPINIONS = 40, 4

OpinionSection = Literal["hypotheses", "recommendations"]
_KINDS: tuple[OpinionSection, ...] = ("hypotheses", "recommendations")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class OwnWords(_Part):
    """A possibility or a piece of advice in the model's own words."""

    text: str = Field(description="Own words from the vocabulary; names only as references.")
    claims: list[str] = Field(description="Ids of the claims that it rests on; one to four.")


class Reply(_Part):
    """A model's reply: ids of claims, and its own words for causes and advice."""

    headline: str = Field(description="Id of the headline claim that matters most.")
    claims: list[str] = Field(description="Ids of the claims that a manager needs, the most important first.")
    hypotheses: list[OwnWords] = Field(description="Possible causes in own words, at most four; may be empty.")
    recommendations: list[OwnWords] = Field(description="Advice in own words, at most four; may be empty.")


_OBJECT = re.compile(rf'\{{\s{{0,200}}"(?:{"|".join(Reply.model_fields)})"\s{{0,200}}:')


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome for one reply.

    Attributes:
        choice: what of the reply may be published; None if it is not of the schema.
        problems: why the rest may not.
        own: words of the reply's opinions; ``kept``: those of the opinions that may be published.
    """

    choice: Choice | None
    problems: tuple[Problem, ...]
    own: int = 0
    kept: int = 0

    @property
    def passed(self) -> bool:
        """True if the whole reply may be published."""
        return self.choice is not None and not self.problems

    @property
    def survival(self) -> float | None:
        """Share of the model's own words that may be published; None if it wrote none."""
        return self.kept / self.own if self.own else None


def check(reply: str, claims: Mapping[str, Claim], facts: Facts) -> Verdict:
    """Check a reply against the claims. Never raises."""
    read, problem = _read(reply)
    if read is None:
        return Verdict(None, (problem,) if problem else ())
    usual = default(claims)
    problems: list[Problem] = []
    headline = read.headline
    if headline not in claims or claims[headline].section != "headline":
        problems.append(Problem("headline", "unknown_claim", "name a claim of the section `headline`"))
        headline = usual.headline
    if len(read.claims) > MOST_CHOSEN:
        problems.append(Problem("claims", "length", f"choose at most {MOST_CHOSEN} claims"))
    chosen = list(dict.fromkeys(read.claims[:MOST_CHOSEN]))
    known = [one for one in chosen if one in claims and claims[one].section != "headline"]
    if len(known) < len(chosen):
        problems.append(Problem("claims", "unknown_claim", "choose only ids of the list, spelt the same, and no headlines"))
    published, own, kept = [], 0, 0
    for kind in _KINDS:
        given: list[OwnWords] = getattr(read, kind)
        if len(given) > MOST_OPINIONS:
            problems.append(Problem(kind, "length", f"write at most {MOST_OPINIONS} items"))
        for number, one in enumerate(given, 1):
            words = len(one.text.split())
            own += words
            if number > MOST_OPINIONS:
                continue
            text = opinions.tidy(one.text, facts.language)
            found = list(opinions.problems(f"{kind} {number}", kind, text, one.claims, claims, facts))
            problems += found
            if not found:
                kept += words
                published.append(Opinion(kind, text, tuple(dict.fromkeys(one.claims))))
    return Verdict(Choice(headline, tuple(known), tuple(published)), tuple(problems), own, kept)


def _read(reply: str) -> tuple[Reply | None, Problem | None]:
    if len(reply) > LONGEST_REPLY:
        return None, Problem("reply", "length", f"the reply is longer than {LONGEST_REPLY} characters")
    # Without structured output a model may write its reasoning first, also in braces, or put its JSON into a code block.
    start = _OBJECT.search(reply)
    try:
        found, _ = json.JSONDecoder().raw_decode(reply, start.start() if start else max(0, reply.find("{")))
        return Reply.model_validate(found, strict=True), None
    except ValidationError as error:
        messages = [
            f"{'.'.join(str(part)[:40] for part in one['loc'])}: {one['msg']}"
            for one in error.errors(include_input=False, include_url=False, include_context=False)[:8]
        ]
        return None, Problem("reply", "schema", "; ".join(messages))
    except (ValueError, RecursionError):
        return None, Problem("reply", "schema", "the reply is not a JSON object")


def schema() -> dict[str, Any]:
    """Return the reply's JSON schema for structured output: no titles, no optional and no additional properties."""
    found = _plain(Reply.model_json_schema())
    assert isinstance(found, dict)  # noqa: S101 - for the type checker
    return found


def _plain(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _plain(value) for key, value in part.items() if not (key == "title" and isinstance(value, str))}
    return [_plain(one) for one in part] if isinstance(part, list) else part
