"""What a model that is asked answers, or why it does not, and the protocol of asking it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Protocol

from reporter.prompt import Messages


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered, the tokens it took, and the seconds, retries included."""

    content: str
    tokens_in: int
    tokens_out: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer. ``reason`` is counted: timeout, unreachable, status-429, refusal, cut-off, too-large,
    malformed, budget, circuit. ``detail`` never holds the key or what the endpoint wrote.
    """

    reason: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else self.reason


class Call(Protocol):
    """Asks a model. Total: what goes wrong is a Failure."""

    @property
    def model(self) -> str: ...

    def ask(self, messages: Messages, seconds: float) -> Reply | Failure: ...


def estimate(messages: Messages) -> int:
    """Tokens of a question, rather too many: three bytes of JSON a token."""
    return len(json.dumps(messages, ensure_ascii=False).encode()) // 3 + 1
