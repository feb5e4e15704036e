"""The model is asked within a budget of tokens and cost, and not while it fails."""

from __future__ import annotations

import pytest

from reporter.answer import Failure, Reply, estimate
from reporter.limits import FAILURES, LimitedCall
from reporter.prompt import MOST_TOKENS
from stream_app.settings import Settings
from stream_app.store.connection import connect
from stream_app.store.reports import ReportStore

NOW = 1_790_000_000_000


@pytest.fixture
def store(settings: Settings) -> ReportStore:
    return ReportStore(connect(settings), settings.redis_prefix)


class Counting:
    """A call that answers, or fails, and counts how often."""

    model = "m"

    def __init__(self, answer: Reply | Failure) -> None:
        self.answer = answer
        self.asked = 0

    def ask(self, messages: object, seconds: float) -> Reply | Failure:
        self.asked += 1
        return self.answer


QUESTION = [{"role": "user", "content": "x" * 300}]


def test_a_spent_budget_asks_no_more_until_the_next_day(store: ReportStore, settings: Settings) -> None:
    limited = settings.model_copy(update={"llm_daily_tokens": 2 * MOST_TOKENS})
    inner, now = Counting(Reply("{}", 100, MOST_TOKENS - 200, 0.1)), [NOW / 1000]
    call = LimitedCall(inner, store, limited, clock=lambda: now[0])

    answers = [call.ask(QUESTION, 5) for _ in range(3)]
    assert [getattr(answer, "reason", None) for answer in answers] == [None, "budget", "budget"]
    assert inner.asked == 1
    assert store.spent("2026-09-21") == (MOST_TOKENS - 100, 0)
    now[0] += 86_400
    assert isinstance(call.ask(QUESTION, 5), Reply)


def test_a_cost_limit_holds_by_the_prices(store: ReportStore, settings: Settings) -> None:
    priced = settings.model_copy(update={"llm_daily_cost": 0.05, "llm_price_input": 1.0, "llm_price_output": 10.0})
    inner = Counting(Reply("{}", 1_000, 500, 0.1))
    call = LimitedCall(inner, store, priced, clock=lambda: NOW / 1000)

    assert isinstance(call.ask(QUESTION, 5), Reply)
    assert store.spent("2026-09-21") == (1_500, 6_000)
    assert isinstance(call.ask(QUESTION, 5), Reply)
    answer = call.ask(QUESTION, 5)
    assert isinstance(answer, Failure)
    assert answer.reason == "budget"


def test_after_failures_in_a_row_nobody_asks_for_a_while(store: ReportStore, settings: Settings) -> None:
    inner = Counting(Failure("status-500"))
    calls = [LimitedCall(inner, store, settings) for _ in range(2)]

    reasons = [calls[number % 2].ask(QUESTION, 5) for number in range(FAILURES + 2)]

    assert inner.asked == FAILURES
    assert [str(one).split()[0] for one in reasons][-2:] == ["circuit", "circuit"]
    store.succeeded()
    inner.answer = Reply("{}", 1, 1, 0.1)
    assert isinstance(calls[0].ask(QUESTION, 5), Reply)


RESERVED = MOST_TOKENS + estimate(QUESTION)


@pytest.mark.parametrize(
    ("reason", "kept"), [("unreachable", 0), ("status-401", 0), ("timeout", RESERVED), ("status-500", RESERVED)]
)
def test_a_question_that_cannot_have_cost_anything_is_given_back(
    store: ReportStore, settings: Settings, reason: str, kept: int
) -> None:
    LimitedCall(Counting(Failure(reason)), store, settings, clock=lambda: NOW / 1000).ask(QUESTION, 5)

    assert store.spent("2026-09-21") == (kept, 0)


def test_without_redis_no_question_is_asked(settings: Settings) -> None:
    gone = settings.model_copy(update={"redis": type(settings.redis)("redis://127.0.0.1:1/0")})
    inner = Counting(Reply("{}", 1, 1, 0.1))

    answer = LimitedCall(inner, ReportStore(connect(gone), "headrace"), gone).ask(QUESTION, 5)

    assert isinstance(answer, Failure)
    assert inner.asked == 0
