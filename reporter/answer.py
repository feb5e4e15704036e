"""The protocol of asking a model: its reply, or the reason why there is none."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Protocol

from reporter.prompt import Messages


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's reply, the tokens it used, and the seconds, retries included."""

    content: str
    tokens_in: int
    tokens_out: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no reply.

    Attributes:
        reason: is counted: timeout, unreachable, status-429, refusal, cut-off, too-large, malformed, settings,
            budget, circuit.
        detail: never contains the key or text of the endpoint.
    """

    reason: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else self.reason


class Call(Protocol):
    """Asks a model. Never raises: every failure is a ``Failure``."""

    @property
    def model(self) -> str:
        """The model's name."""

    def ask(self, messages: Messages, seconds: float) -> Reply | Failure:
        """Return the model's reply, or why there is none after ``seconds``."""


def estimate(messages: Messages) -> int:
    """Estimate the tokens of a question, rather too high: three bytes of JSON per token."""
    return len(json.dumps(messages, ensure_ascii=False).encode()) // 3 + 1
