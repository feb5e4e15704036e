"""Messages to a model: the instructions of one versioned file, and the claims as JSON. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from reporter.claims import Claim
from reporter.draft import REFERENCE
from reporter.facts import Facts
from reporter.gate import Verdict, schema
from reporter.vocabulary import words_of

#: The prompt file in use, ``prompts/report.<version>.md``.
VERSION = "v2"

Messages = list[dict[str, str]]

#: Maximum length of a reply, in tokens.
MOST_TOKENS = 4_000

#: Ways to ask for a reply, the most exact first; an endpoint that refuses one gets the next.
SHAPES: tuple[dict[str, Any], ...] = (
    {
        "response_format": {"type": "json_schema", "json_schema": {"name": "report", "strict": True, "schema": schema()}},
        "max_completion_tokens": MOST_TOKENS,
    },
    {"response_format": {"type": "json_object"}, "max_tokens": MOST_TOKENS},
    {"max_tokens": MOST_TOKENS},
)

#: Sent instead of the name of a person.
SOMEBODY = "…"
_LANGUAGES = {"en": "English", "de": "German", "fr": "French"}
#: Maximum characters of a refused reply, and maximum number of its problems, that are sent back to the model.
LONGEST_REFUSED, MOST_PROBLEMS = 12_000, 25


@cache
def _instructions() -> str:
    return files("reporter").joinpath(f"prompts/report.{VERSION}.md").read_text("utf-8")


def first_messages(facts: Facts, claims: Mapping[str, Claim]) -> Messages:
    """Return the instructions, and the claims with the vocabulary."""
    return [
        {"role": "system", "content": _instructions().replace("{language}", _LANGUAGES[facts.language])},
        {"role": "user", "content": json.dumps(for_model(facts, claims), ensure_ascii=False, separators=(",", ":"))},
    ]


def for_model(facts: Facts, claims: Mapping[str, Claim]) -> dict[str, Any]:
    """Return the claims for a model."""
    return {
        "compared_with_period_before": facts.compared,
        "claims": [_for_model(claim, facts) for claim in claims.values()],
        "vocabulary": " ".join(words_of(facts.language)),
    }


def _for_model(claim: Claim, facts: Facts) -> dict[str, Any]:
    return {
        "id": claim.id,
        "subject": claim.subject,
        "compares_with": claim.comparison,
        "evidence": claim.confidence,
        "says": _without_people(claim.source, facts),
        "names": [one for one in claim.facts if facts.all[one].unit == "name" and one.endswith((".name", ".rule", ".segment"))],
    } | ({"always_stated": True} if claim.must else {})


def _without_people(text: str, facts: Facts) -> str:
    """Replace the references in a text by the texts of their facts, and the names of people by a word."""
    return REFERENCE.sub(lambda found: SOMEBODY if found[1] in facts.people else facts.rendering(found[1]), text)


def question(facts: Facts, claims: Mapping[str, Claim], model: str) -> dict[str, Any]:
    """Return the body of the first request to an endpoint with structured output."""
    return {"model": model, "messages": first_messages(facts, claims), **SHAPES[0]}


def repair_messages(messages: Messages, reply: str, verdict: Verdict) -> Messages:
    """Return the conversation so far, the refused reply, and its problems."""
    problems = [f"- {problem.where}: {problem.detail}" for problem in verdict.problems[:MOST_PROBLEMS]]
    complaint = "\n".join(["This cannot be published:", *problems, "", "Write the whole JSON object again, corrected."])
    return [
        *messages,
        {"role": "assistant", "content": reply[:LONGEST_REFUSED] or "(nothing)"},
        {"role": "user", "content": complaint},
    ]
