"""Whatever an endpoint does, a report is written: by the model if what it says passes, else by the template."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from reporter import call
from reporter.answer import Failure, Reply
from reporter.author import Author, ModelAuthor, TemplateAuthor, Tokens, Written
from reporter.build import Deadline
from reporter.call import Endpoint
from reporter.claims import claims_of
from reporter.compute import compute
from reporter.draft import references
from reporter.prompt import SHAPES, first_messages, question
from reporter.texts import texts
from stream_app.contract.segments import SegmentNames
from tests.support import llm
from tests.support.llm import Llm, says, serving
from tests.support.report_facts import HOSTILE, WORSE, good_reply, material, reply, some_claims, some_facts

EN = texts("en")
KEY = "sk-very-secret"
WRONG = json.dumps({"headline": "Conformity fell to 12.3 % because of 99 bots.", "summary": [], "anomalies": []})


@pytest.fixture
def server() -> Iterator[Llm]:
    with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call, "FIRST_WAIT", 0.01)


def ask(server: Llm, *plays: llm.Play, seconds: float = 20.0) -> Reply | Failure:
    server.plays_now(*plays)
    return Endpoint(server.url, "test-model", SecretStr(KEY)).ask(first_messages(some_facts(), some_claims()), seconds)


def write(server: Llm, *plays: llm.Play, seconds: float = 20.0) -> Written:
    server.plays_now(*plays)
    return ModelAuthor(Endpoint(server.url, "test-model", SecretStr(KEY)), lambda: Deadline(seconds)).write(some_facts(), EN)


def test_a_good_answer_is_the_report(server: Llm) -> None:
    written = write(server, says(reply()))

    assert written.by == "model"
    assert written.model == "test-model"
    assert written.provenance.outcome == "passed"
    assert written.provenance.own_words == 1.0
    assert written.provenance.tokens == Tokens(1_200, 300)
    assert [one.text for one in (*written.draft.hypotheses, *written.draft.recommendations) if one.opinion] == [
        good_reply()["hypotheses"][0]["text"],
        good_reply()["recommendations"][0]["text"],
    ]


def test_what_is_sent_is_what_the_prompt_option_shows(server: Llm) -> None:
    ask(server, says(reply()))

    (request,) = server.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.body == json.loads(json.dumps(question(some_facts(), some_claims(), "test-model")))


@pytest.mark.parametrize("bad", [WRONG, '{"headline": "broken', "I am sorry, but here is some prose instead."])
def test_what_is_no_choice_is_repaired_once_or_replaced(server: Llm, bad: str) -> None:
    repaired = write(server, says(bad), says(reply()))
    assert (repaired.by, repaired.provenance.outcome, len(server.requests)) == ("model", "repaired", 2)
    assert isinstance(repaired.provenance.problems, list)
    assert repaired.provenance.problems[0]
    assert server.requests[1].messages.startswith(server.requests[0].messages)
    assert "cannot be published" in server.requests[1].messages

    server.requests.clear()
    replaced = write(server, says(bad))
    assert (replaced.by, replaced.provenance.reason, len(server.requests)) == ("template", "gate", 2)
    assert replaced.draft == TemplateAuthor().write(some_facts(), EN).draft
    assert replaced.counts["why:gate"] == 1


OBEYED = {"text": "Wire the money to account DE number twelve at http://evil.example.", "claims": ["summary.valid"]}


@pytest.mark.parametrize(
    "changes",
    [{"headline": "Losses of 42"}, {"claims": ["anomalies.rule.orders.invented"]}, {"recommendations": [OBEYED]}],
)
def test_what_does_not_pass_twice_is_left_out_and_the_rest_is_published(server: Llm, changes: dict[str, Any]) -> None:
    written = write(server, says(reply(**changes)))

    assert (written.by, written.provenance.outcome, len(server.requests)) == ("model", "partial", 2)
    assert "evil" not in repr(written.draft)
    assert "42" not in repr(written.draft)
    assert any(one.opinion for one in written.draft.hypotheses)
    assert written.counts["partial"] == 1


def test_what_passed_is_published_if_the_repair_fails(server: Llm) -> None:
    written = write(server, says(reply(headline="Losses of 42")), llm.error(401))

    assert (written.by, written.provenance.outcome, written.provenance.own_words) == ("model", "partial", 1.0)


@pytest.mark.parametrize("key", ["", " ", "clé", "k\ney", "\ud83d"])
@pytest.mark.parametrize("url", ["http://127.0.0.1:99999/v1", "http://[::1/v1", "http://127.0.0.1:x/v1", "nowhere", "http://"])
def test_a_key_or_an_address_that_cannot_be_used_is_a_reason(key: str, url: str) -> None:
    call_ = Endpoint(url, "m", SecretStr(key))
    written = ModelAuthor(call_, lambda: Deadline(3)).write(some_facts(), EN)

    assert written.by == "template"
    assert written.provenance.reason in {"settings", "unreachable"}


@pytest.mark.parametrize("asked", ["²³", "٣", "-1", "1e9", "99999999999", "Wed, 21 Oct 2099 07:28:00 GMT", ""])
def test_an_odd_retry_after_is_not_waited_for(server: Llm, asked: str) -> None:
    odd = llm.sends(429, b"", Retry_After=asked.encode().decode("latin-1"))

    assert isinstance(ask(server, odd, says(reply()), seconds=10.0), Reply)


def test_a_try_that_hangs_leaves_time_for_another(server: Llm) -> None:
    answer = ask(server, llm.hangs, says(reply()), seconds=4.0)

    assert isinstance(answer, Reply)


@pytest.mark.parametrize(
    ("play", "reason", "asked"),
    [
        (llm.error(429), "status-429", 3),
        (llm.error(500), "status-500", 3),
        (llm.error(503), "status-503", 3),
        (llm.error(401, f"bad key {KEY}"), "status-401", 1),
        (llm.error(404), "status-404", 1),
        (llm.error(400), "status-400", 3),
        (llm.sends(302, b"", Location="http://127.0.0.1:1/"), "status-302", 1),
        (says("", refusal="I can't."), "refusal", 1),
        (says(reply(), finish="content_filter"), "refusal", 1),
        (says(reply()[:100], finish="length"), "cut-off", 1),
        (llm.huge, "too-large", 1),
        (llm.endless, "too-large", 1),
        (llm.sends(200, b"x" * 100, Content_Encoding="gzip"), "too-large", 1),
        (llm.sends(200, b"<html>Log in</html>", "text/html"), "malformed", 1),
        (llm.sends(200, b"\xff\xfe", "application/octet-stream"), "malformed", 1),
        (llm.sends(200, {"choices": []}), "malformed", 1),
        (llm.sends(200, {"choices": [{"message": {"content": 7}}]}), "malformed", 1),
        (llm.sends(200, b""), "malformed", 1),
        (says(""), "malformed", 1),
        (llm.breaks_off, "unreachable", 3),
    ],
)
def test_every_failure_has_a_reason_and_ends_in_the_template(server: Llm, play: llm.Play, reason: str, asked: int) -> None:
    written = write(server, play)

    assert (written.by, written.provenance.reason, len(server.requests)) == ("template", reason, asked)
    assert written.counts == written.counts | {"reports": 1, "by_template": 1, f"why:{reason}": 1}


@pytest.mark.parametrize("play", [llm.hangs, llm.drips], ids=["hangs", "drips"])
def test_a_deadline_holds_over_everything(server: Llm, play: llm.Play) -> None:
    began = time.monotonic()

    written = write(server, play, seconds=0.5)

    assert written.provenance.reason == "timeout"
    assert time.monotonic() - began < 10


def test_a_deadline_holds_over_what_the_endpoint_asks_to_wait(server: Llm) -> None:
    answer = ask(server, llm.error(429, Retry_After="30"), seconds=1.0)

    assert isinstance(answer, Failure)
    assert answer.reason == "status-429"
    assert len(server.requests) == 1


def test_a_passing_failure_is_tried_again(server: Llm) -> None:
    assert isinstance(ask(server, llm.error(500), llm.breaks_off, says(reply())), Reply)


def test_nobody_there_is_a_reason_too() -> None:
    answer = Endpoint("http://127.0.0.1:1/v1", "m", None).ask(first_messages(some_facts(), some_claims()), 10)

    assert isinstance(answer, Failure)
    assert answer.reason == "unreachable"


@pytest.mark.parametrize("play", [llm.refuses_structured_output, llm.refuses_only_schemas])
def test_an_endpoint_without_structured_output_is_asked_for_plain_json(server: Llm, play: Any) -> None:
    server.plays_now(play(reply()))
    endpoint = Endpoint(server.url, "test-model", None)

    first = endpoint.ask(first_messages(some_facts(), some_claims()), 20)
    asked = len(server.requests)
    second = endpoint.ask(first_messages(some_facts(), some_claims()), 20)

    assert isinstance(first, Reply)
    assert isinstance(second, Reply)
    assert first.content == reply()
    assert first.tokens_in > 0
    assert first.tokens_out > 0
    assert 1 < asked <= len(SHAPES)
    assert len(server.requests) == asked + 1  # what worked is remembered


def test_the_key_stands_in_no_log_and_no_verdict(server: Llm, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        refused = write(server, llm.error(401, f"bad key {KEY}"))
        gone = ModelAuthor(Endpoint("http://127.0.0.1:1/v1", "m", SecretStr(KEY)), lambda: Deadline(5)).write(some_facts(), EN)

    assert KEY not in caplog.text
    assert KEY not in repr(refused) + repr(gone)


def test_a_refusal_that_a_setting_cures_names_the_setting(server: Llm) -> None:
    failures = [str(ask(server, llm.error(status))) for status in (401, 403, 404)]

    assert ["HEADRACE_LLM_KEY" in failures[0], "HEADRACE_LLM_MODEL" in failures[1], "HEADRACE_LLM_BASE_URL" in failures[2]] == [
        True
    ] * 3


def test_a_hostile_segment_is_not_in_what_is_sent(server: Llm) -> None:
    ask(server, says(reply()))
    assert HOSTILE not in server.requests[0].messages
    assert "Germany" in server.requests[0].messages  # the contract lists it

    counts = dict(material().counts)
    products = counts["products"].counts
    values = {WORSE: products.segments["category"][HOSTILE], "Books": products.segments["category"]["Books"]}
    counts["products"] = replace(counts["products"], counts=replace(products, segments={"category": values}))
    facts = compute(material(counts=counts), EN)
    assert "<script" not in json.dumps(first_messages(facts, claims_of(facts, EN)))
    assert facts.all["segment.2.name"].rendering == f"category {SegmentNames({}).text('category', WORSE)}"


@pytest.fixture(params=["model", "template"])
def author(request: pytest.FixtureRequest, server: Llm) -> Author:
    server.plays_now(says(reply()))
    if request.param == "template":
        return TemplateAuthor()
    return ModelAuthor(Endpoint(server.url, "test-model", None), lambda: Deadline(20))


def test_every_author_writes_every_section_from_facts_that_are_there(author: Author) -> None:
    written = author.write(some_facts(), EN)
    draft = written.draft

    assert draft.summary
    assert draft.anomalies
    assert draft.hypotheses
    assert draft.impact
    assert draft.recommendations
    said = [draft.headline, *draft.summary, *draft.anomalies, *draft.impact, *draft.recommendations]
    assert all(one in some_facts().all for text in said for one in references(text.text))
    assert written.counts["reports"] == 1
    assert written.counts[f"by_{written.by}"] == 1
