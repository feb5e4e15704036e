"""A column is shifted, so that persons' names, addresses and card numbers stand where keys, segments and texts should be.

Workers run on it, incidents open, a model is asked, reports are written: nothing of these values leaves the topics of the
records, but for what the contract makes a key.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis
from click.testing import CliRunner
from pydantic import SecretStr

from headrace.cli.incidents import command as incidents_command
from headrace.cli.report import command as report_command
from headrace.cli.status import command as status_command
from stream_app.names import Topics, acts_topic, anomalies_topic, reports_topic
from stream_app.settings import Settings
from stream_app.store.queries import open_queries
from tests.support.crew import changed
from tests.support.llm import Llm, says, serving
from tests.support.outage import BEFORE, HOUR
from tests.support.paths import RETAIL
from tests.support.processes import as_environment
from tests.support.report_facts import reply
from tests.support.stream import (
    BEGIN,
    Raw,
    await_settled,
    compact,
    customer,
    make_topics,
    order,
    produce,
    product,
    read_topic,
    workers,
)
from tests.support.waiting import eventually

#: Each value has a word that stands nowhere else.
NAME, EMAIL, CARD = "Zebulon Quackenbush", "zebulon@quackenbush.example", "4929 1234 5678 9015"
PERSONS = ("quackenbush", "zebulon", "quackenbush.example", "4929 1234", "4929123456789015")
#: A card number in the field of a key is a key: what refers to it must be found.
KEY = 4_929_000_011_112_222
#: The kinds of Redis keys in which it may stand as digits: what is known of referenced records, and the preview of clean ones.
#: Unique keys and distinct values hold numbers, too, packed into bytes.
KEEP_KEYS = ("ref", "clean")
AFTER = 6
LISTED = ("Books", "Toys", "Garden", "Gifts")
FORMATS = ("markdown", "html", "json")


def shifted() -> Iterator[Raw]:
    """Records with each of the values in each field that takes a text or a number."""
    for number, value in enumerate((NAME, EMAIL, CARD), 1):
        for entity, good in (("customers", customer(50)), ("products", product(50)), ("orders", order(50))):
            fields = json.loads(good.value or b"{}")
            for name in fields:
                yield compact(entity, value, **(fields | {name: value}))
            yield compact(entity, value, **(fields | {"comment": value}))
            yield Raw(entity, value.encode(), f"{value},{value}".encode())
            yield Raw(entity, value.encode(), None)
            yield Raw(entity, value.encode(), good.value, headers=(("trace", value.encode()),))
        yield product(100 + number, category=value)
    yield customer(KEY, name=NAME, email=EMAIL)
    yield order(60, customer_id=KEY)
    yield order(KEY, customer_id=1)
    yield order(61, customer_id=2, product_id=KEY)


def trade() -> Iterator[Raw]:
    """Hours of trade with listed categories; then hours in which most orders are of a product whose category is a name."""
    yield from (customer(number) for number in range(1, 21))
    yield from (product(number, category=listed) for number, listed in enumerate(LISTED, 1))
    yield product(101, category=NAME)
    chance, number = random.Random(3), 1_000
    for hour in range(BEFORE + AFTER):
        for _ in range(round(chance.gauss(40, 4))):
            number += 1
            at = BEGIN // HOUR * HOUR + hour * HOUR + chance.randrange(HOUR)
            bought = 101 if hour >= BEFORE and chance.random() < 0.7 else chance.randrange(1, len(LISTED) + 1)
            moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
            yield order(number, chance.randrange(1, 21), bought, order_date=moment)


def lines() -> Iterator[Raw]:
    """Invoice lines of the gift shop whose free text is each of the values; the contract does not call it personal."""
    good = {
        "stock_code": "85123A", "product_id": "85123A", "line_type": "sale", "description": "LANTERN", "quantity": 6,
        "price": 2.5, "customer_id": 17850, "country": "France", "invoice_date": "2010-12-01T08:26:00Z",
    }  # fmt: skip
    yield compact("products", "85123A", product_id="85123A", description="LANTERN", list_price=2.5)
    yield compact("customers", 17850, customer_id=17850, country="France")
    for number, value in enumerate((NAME, EMAIL, CARD, f"for {NAME}, {EMAIL}, card {CARD}"), 536_365):
        one = good | {"invoice_no": str(number), "description": value}
        yield from (compact("orders", number, **one), compact("orders", number, **one))
        yield compact("orders", number, **(one | {"country": value}))
        yield compact("orders", number, **(one | {"line_type": value}))
        yield compact("products", value, product_id="22745", description=value, list_price=2.5)


def stored(url: str) -> Iterator[tuple[str, str]]:
    """Every key of the database with all that is in it."""
    with redis.Redis.from_url(url) as client:
        for key in client.scan_iter(count=1_000):
            read: dict[bytes, Any] = {
                b"string": client.get, b"hash": client.hgetall, b"set": client.smembers,
                b"list": lambda one: client.lrange(one, 0, -1), b"zset": lambda one: client.zrange(one, 0, -1, withscores=True),
            }  # fmt: skip
            content = read[client.type(key)](key)
            yield key.decode(), f"{key!r} {content!r}"


def leaks(text: str, *more: str, without: Sequence[str] = ()) -> list[str]:
    """The surroundings of each value of a person in a text."""
    low = text.lower()
    words = [word for word in (*PERSONS, *more) if word not in without]
    return [text[max(0, at - 60) : at + 60] for word in words if (at := low.find(word)) >= 0]


@pytest.fixture
def model() -> Iterator[Llm]:
    with serving(says(reply())) as server:
        yield server


@pytest.mark.timeout(240)
def test_no_value_of_a_person_leaves_the_topics_of_its_records(settings: Settings, tmp_path: Path, model: Llm) -> None:
    settings = changed(
        settings, grace=1.0, llm_model="test-model", llm_base_url=model.url, llm_key=SecretStr("key"), anomaly_window="hour"
    )
    make_topics(settings)
    records = [*shifted(), *trade()]
    counts = {entity: sum(one.entity == entity for one in records) for entity in ("customers", "products", "orders")}
    produce(settings, records)
    environment, runner = as_environment(settings), CliRunner()

    def printed(command: Any, *arguments: str) -> str:
        done = runner.invoke(command, list(arguments), env=environment)
        assert done.exit_code == 0, done.output
        return done.output

    with workers(settings, tmp_path, 2) as crew:
        await_settled(settings, counts, crew, timeout=120)
        queries = open_queries(settings)
        found = eventually(
            lambda: [one for one in queries.incidents() if one.segment is not None and one.segment[1].startswith("#")],
            "an incident is about the category that is a name", timeout=90,
        )  # fmt: skip
        said = {
            "status": printed(status_command, "--json"),
            "status table": printed(status_command),
            "incidents": printed(incidents_command, "list", "--json") + printed(incidents_command, "list"),
            "one incident": printed(incidents_command, "show", found[0].id),
            "an act": printed(incidents_command, "act", found[0].id, "acknowledged", "--by", "Ann"),
            "report": "".join(printed(report_command, "--once", "--anew", "--format", form) for form in FORMATS),
            "prompt": printed(report_command, "--prompt") + printed(report_command, "--facts"),
        }  # fmt: skip
    assert model.requests, "a model was asked"
    said["questions to the model"] = "\n".join(json.dumps(one.body, ensure_ascii=False) for one in model.requests)
    for topic in (anomalies_topic, acts_topic, reports_topic):
        rows = read_topic(settings, topic(settings.topic_prefix))
        assert rows, topic
        said[f"topic {topic.__name__}"] = repr([(one.key, one.value, one.headers) for one in rows])
    said |= {log.name: log.read_text("utf-8", "replace") for log in tmp_path.glob("worker-*.log")}
    assert found[0].segment is not None
    assert found[0].segment[1] in said["report"], "the report names its number"
    wrong = {where: hits for where, text in said.items() if (hits := leaks(text, str(KEY)))}

    kept = set()
    for key, content in stored(settings.redis.get_secret_value()):
        kind = key.removeprefix(f"{settings.redis_prefix}:").split(":")[0]
        if hits := leaks(content, *([] if kind in KEEP_KEYS else [str(KEY)])):
            wrong[key] = hits
        kept |= {kind} if str(KEY) in content else set()
    assert wrong == {}
    assert kept == {*KEEP_KEYS}, "each exception is one"
    # The test would find them: the records' own topics hold them, as they are.
    assert any(leaks(repr(one.value)) for one in read_topic(settings, Topics("customers", settings.topic_prefix).dead_letter))


@pytest.mark.timeout(120)
def test_free_text_is_kept_only_in_the_preview_and_addresses_and_card_numbers_not_even_there(
    settings: Settings, tmp_path: Path
) -> None:
    settings = changed(settings, grace=1.0, shop=RETAIL)
    make_topics(settings)
    records = [*lines()]
    counts = {entity: sum(one.entity == entity for one in records) for entity in ("customers", "products", "orders")}
    produce(settings, records)
    with workers(settings, tmp_path, 1) as crew:
        await_settled(settings, counts, crew)
        status = CliRunner().invoke(status_command, ["--json"], env=as_environment(settings)).output
    wrong = {"status": leaks(status)} if leaks(status) else {}
    for key, content in stored(settings.redis.get_secret_value()):
        kind = key.removeprefix(f"{settings.redis_prefix}:").split(":")[0]
        # A name alone is a text as any other: a contract that allows free text says who may read it by `classification`.
        allowed = ("quackenbush", "zebulon") if kind == "clean" else ()
        if hits := leaks(content, without=allowed):
            wrong[f"{kind} {key}"] = hits
    for log in tmp_path.glob("worker-*.log"):
        assert not leaks(log.read_text("utf-8", "replace"))
    assert wrong == {}
