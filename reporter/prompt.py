"""What is sent to a model, exactly: the instructions of one versioned file, and the facts as JSON. Pure."""

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

#: Longest reply that is asked for, in tokens.
MOST_TOKENS = 4_000

#: How a reply is asked for, most exact first; an endpoint that refuses one gets the next.
SHAPES: tuple[dict[str, Any], ...] = (
    {
        "response_format": {"type": "json_schema", "json_schema": {"name": "report", "strict": True, "schema": schema()}},
        "max_completion_tokens": MOST_TOKENS,
    },
    {"response_format": {"type": "json_object"}, "max_tokens": MOST_TOKENS},
    {"max_tokens": MOST_TOKENS},
)

_LANGUAGES = {"en": "English", "de": "German", "fr": "French"}
#: A refused reply is shown to the model again up to this many characters, and so many of its problems.
SHOWN_AGAIN, PROBLEMS_TOLD = 12_000, 25


@cache
def _instructions() -> str:
    return files("reporter").joinpath(f"prompts/report.{VERSION}.md").read_text("utf-8")


def first_messages(facts: Facts) -> Messages:
    """The instructions, and the facts."""
    return [
        {"role": "system", "content": _instructions().replace("{language}", _LANGUAGES[facts.language])},
        {"role": "user", "content": json.dumps(facts_for_model(facts), ensure_ascii=True, indent=1)},
    ]


def facts_for_model(facts: Facts) -> dict[str, Any]:
    """The facts as a model reads them: names that came with the data, and are not in the contract, stay behind their id."""
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
    """The body of the first request, as it is sent to an endpoint with structured output."""
    return {"model": model, "messages": first_messages(facts), **SHAPES[0]}


def repair_messages(messages: Messages, reply: str, verdict: Verdict) -> Messages:
    """The conversation so far, the reply that was refused, and why."""
    problems = [f"- {problem.where}: {problem.detail}" for problem in verdict.problems[:PROBLEMS_TOLD]]
    told = "\n".join(["This report cannot be published:", *problems, "", "Write the whole JSON object again, corrected."])
    return [*messages, {"role": "assistant", "content": reply[:SHOWN_AGAIN] or "(nothing)"}, {"role": "user", "content": told}]
