"""Messages to a model: the instructions of one versioned file, and the facts as JSON. Pure."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from reporter.draft import schema
from reporter.facts import Fact, Facts
from reporter.gate import Verdict

#: The prompt file in use, ``prompts/report.<version>.md``.
VERSION = "v1"

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

_LANGUAGES = {"en": "English", "de": "German", "fr": "French"}
#: Maximum characters of a refused reply, and maximum number of its problems, that are sent back to the model.
LONGEST_REFUSED, MOST_PROBLEMS = 12_000, 25


@cache
def _instructions() -> str:
    return files("reporter").joinpath(f"prompts/report.{VERSION}.md").read_text("utf-8")


def first_messages(facts: Facts) -> Messages:
    """Return the instructions and the facts."""
    return [
        {"role": "system", "content": _instructions().replace("{language}", _LANGUAGES[facts.language])},
        {"role": "user", "content": json.dumps(facts_for_model(facts), ensure_ascii=True, indent=1)},
    ]


def facts_for_model(facts: Facts) -> dict[str, Any]:
    """Return the facts for a model; a name that is not in the contract is replaced by a note."""
    return {"compared_with_period_before": facts.compared, "facts": [_for_model(fact) for fact in facts.all.values()]}


def _for_model(fact: Fact) -> dict[str, Any]:
    row: dict[str, Any] = {"id": fact.id, "label": fact.label, "unit": fact.unit.lstrip("+")}
    if fact.hidden:
        return row | {"text": "(a name that is shown to readers only)"}
    row["text"] = fact.rendering
    if fact.better:
        row["better"] = fact.better
    return row


def question(facts: Facts, model: str) -> dict[str, Any]:
    """Return the body of the first request to an endpoint with structured output."""
    return {"model": model, "messages": first_messages(facts), **SHAPES[0]}


def repair_messages(messages: Messages, reply: str, verdict: Verdict) -> Messages:
    """Return the conversation so far, the refused reply, and its problems."""
    problems = [f"- {problem.where}: {problem.detail}" for problem in verdict.problems[:MOST_PROBLEMS]]
    complaint = "\n".join(["This report cannot be published:", *problems, "", "Write the whole JSON object again, corrected."])
    return [
        *messages,
        {"role": "assistant", "content": reply[:LONGEST_REFUSED] or "(nothing)"},
        {"role": "user", "content": complaint},
    ]
