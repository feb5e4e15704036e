"""A report before its references are rendered: the schema of a model's reply, and what the template writes."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

#: A reference to a fact in a text: ``{{all.conformity}}``.
REFERENCE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class Hypothesis(_Part):
    """A possible cause, the ids of the facts that suggest it, and how strongly they do."""

    text: str = Field(description="One possible cause, worded as a possibility.")
    rests_on: list[str] = Field(description="Ids of the facts that suggest it, without braces; one to six.")
    confidence: Literal["low", "medium", "high"]


class Draft(_Part):
    """A report whose texts contain every figure, rule and segment as a reference."""

    headline: str = Field(description="The period in one sentence.")
    summary: list[str] = Field(description="Executive summary: one to five sentences, the most important first.")
    anomalies: list[str] = Field(description="Detected anomalies, one each; at most eight. Each refers to its facts.")
    hypotheses: list[Hypothesis] = Field(description="Root-cause hypotheses; at most five.")
    impact: list[str] = Field(description="Business impact: one to five statements.")
    recommendations: list[str] = Field(description="What to do, most urgent first: one to six.")


def schema() -> dict[str, Any]:
    """Return the draft's JSON schema for structured output: no titles, no optional and no additional properties."""
    found = _plain(Draft.model_json_schema())
    assert isinstance(found, dict)  # noqa: S101 - for the type checker
    return found


def _plain(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _plain(value) for key, value in part.items() if not (key == "title" and isinstance(value, str))}
    return [_plain(one) for one in part] if isinstance(part, list) else part


def references(text: str) -> list[str]:
    """Return the ids that a text refers to, in order."""
    return REFERENCE.findall(text)
