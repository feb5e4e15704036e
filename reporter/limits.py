"""Limits that all reporters share through Redis: a daily budget, and a pause after failures."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime

from reporter.answer import Call, Failure, Reply, estimate
from reporter.prompt import MOST_TOKENS, Messages
from stream_app.errors import StoreError
from stream_app.settings import Settings
from stream_app.store.reports import ReportStore

log = logging.getLogger(__name__)

#: After this many failed questions in a row, all reporters pause for this many seconds.
FAILURES, PAUSE = 3, 600.0


class LimitedCall:
    """Asks only within the day's budget and while the circuit is closed. It reserves a question's maximum cost first."""

    def __init__(self, inner: Call, store: ReportStore, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._inner = inner
        self._store = store
        self._settings = settings
        self._clock = clock

    @property
    def model(self) -> str:
        """The model's name at the endpoint."""
        return self._inner.model

    def ask(self, messages: Messages, seconds: float) -> Reply | Failure:
        """Return the model's reply, or why it was not asked."""
        try:
            return self._ask(messages, seconds)
        except StoreError as error:
            # Without Redis the spent budget is unknown, so do not ask.
            log.warning("%s", error)
            return Failure("budget", "the budget spent today cannot be read from Redis")

    def _ask(self, messages: Messages, seconds: float) -> Reply | Failure:
        settings, store = self._settings, self._store
        if store.circuit_open():
            return Failure("circuit", f"{FAILURES} questions failed in a row; the next one is asked after {PAUSE:.0f} s")
        day = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%d")
        tokens_in = estimate(messages)
        tokens, cost = tokens_in + MOST_TOKENS, self._cost(tokens_in, MOST_TOKENS)
        limit = None if settings.llm_daily_cost is None else math.floor(settings.llm_daily_cost * 1_000_000)
        if not store.reserve(day, tokens, cost, most_tokens=settings.llm_daily_tokens, most_cost=limit):
            return Failure("budget", "HEADRACE_LLM_DAILY_TOKENS or HEADRACE_LLM_DAILY_COST would be exceeded")
        answer = self._inner.ask(messages, seconds)
        if isinstance(answer, Failure):
            # Other failed questions may have cost something, so their reservation stays spent.
            if answer.reason == "unreachable" or answer.reason.startswith("status-4"):
                store.give_back(day, tokens, cost)
            store.failed(most=FAILURES, pause=PAUSE)
            return answer
        store.give_back(
            day, tokens - answer.tokens_in - answer.tokens_out, cost - self._cost(answer.tokens_in, answer.tokens_out)
        )
        store.succeeded()
        return answer

    def _cost(self, tokens_in: int, tokens_out: int) -> int:
        """Return the cost in millionths of the prices' currency, rounded up."""
        return math.ceil(tokens_in * self._settings.llm_price_input + tokens_out * self._settings.llm_price_output)
