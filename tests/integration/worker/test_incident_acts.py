"""An act on an incident is in the topic before it is in Redis, and comes back after the store was lost."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from kafka.admin import NewTopic

from headrace.cli.incidents import command
from stream_app.errors import DeliveryError, HeadraceError
from stream_app.kafka.acts import send
from stream_app.kafka.admin import admin_client
from stream_app.monitor.acts import Act, life_of
from stream_app.names import acts_topic
from stream_app.settings import Settings
from stream_app.store.acts import acts_of, new_act, put, write
from stream_app.store.keys import Keys
from stream_app.store.ownership import READY, StoreState
from stream_app.store.queries import open_queries
from stream_app.worker.announced import read_acts
from tests.support.crew import changed
from tests.support.redis_servers import RedisServer
from tests.support.staged import country_gone, judged
from tests.support.staged import put as put_incidents
from tests.support.stream import BEGIN, Books, make_topics, read_topic, workers
from tests.support.waiting import eventually


def environment(settings: Settings) -> dict[str, str]:
    return {
        "HEADRACE_KAFKA": settings.kafka, "HEADRACE_REDIS": settings.redis.get_secret_value(),
        "HEADRACE_REDIS_PREFIX": settings.redis_prefix, "HEADRACE_TOPIC_PREFIX": settings.topic_prefix,
    }  # fmt: skip


def run(settings: Settings, *arguments: str) -> Any:
    return CliRunner().invoke(command, list(arguments), env=environment(settings))


def test_an_act_is_in_the_topic_and_in_redis(settings: Settings) -> None:
    client, keys = Books(settings).client, Keys(settings.redis_prefix)
    volume, mix = country_gone(BEGIN)
    put_incidents(client, keys, volume, mix)
    judged(client, keys, BEGIN, "orders")
    listed = run(settings)
    assert "No orders from United Kingdom" in listed.output
    assert listed.output.count("orders.") == 1
    done = run(settings, "act", mix.id, "assigned", "--by", "Ann", "--to", "Bob", "--text", "ask the feed's team")
    assert done.exit_code == 0, done.output
    (act,) = open_queries(settings).acts()
    assert (act.incident, act.by, act.to, act.judged) == (volume.id, "Ann", "Bob", BEGIN // 3_600 * 3_600)
    sent = [Act.from_json(record.value or b"") for record in read_topic(settings, acts_topic(settings.topic_prefix))]
    assert sent == [act]
    assert "assigned by Ann" in run(settings, "show", volume.id).output
    run(settings, "act", volume.id, "false-alarm", "--by", "Bob")
    (row,) = json.loads(run(settings, "list", "--json").output)
    assert (row["state"], row["owner"], row["money"]) == ("false_alarm", "Bob", -49_876.0)
    assert "no incidents" in run(settings, "list", "--open").output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["act", "gone", "note", "--text", "x"], "no incident has this id"),
        (["act", "{id}", "assigned"], "name the person"),
        (["act", "{id}", "muted", "--until", "soon"], "not a moment to come"),
        (["act", "{id}", "muted", "--until", "2001-01-01T00:00"], "not a moment to come"),
    ],
)
def test_an_act_that_lacks_something_is_refused_and_nothing_is_written(
    settings: Settings, arguments: list[str], words: str
) -> None:
    volume, _ = country_gone(BEGIN)
    put_incidents(Books(settings).client, Keys(settings.redis_prefix), volume)
    done = run(settings, *(one.format(id=volume.id) for one in arguments))
    assert isinstance(done.exception, HeadraceError)
    assert words in str(done.exception)
    assert not open_queries(settings).acts()


def test_nothing_is_in_redis_that_the_topic_did_not_take(settings: Settings) -> None:
    volume, _ = country_gone(BEGIN)

    def refuse(_key: str, _value: str) -> None:
        raise DeliveryError("the topic did not take it")

    with pytest.raises(DeliveryError):
        write(settings, new_act(volume, "acknowledged", "Ann"), refuse)
    assert not open_queries(settings).acts()


def test_acts_of_a_topic_with_several_partitions_are_all_read_again(settings: Settings) -> None:
    with admin_client(settings) as admin:
        admin.create_topics([NewTopic(acts_topic(settings.topic_prefix), 6, 1)])
        admin.wait_for_topics([acts_topic(settings.topic_prefix)])
    sent = [new_act(country_gone(BEGIN)[0], "note", "Ann", text=str(number)) for number in range(8)]
    for act in sent:
        send(settings, act.id, act.to_json())
    assert asyncio.run(read_acts(settings)) == sent


def test_an_act_is_kept_once_and_a_row_of_another_version_is_left_out(settings: Settings) -> None:
    client, keys = Books(settings).client, Keys(settings.redis_prefix)
    act = new_act(country_gone(BEGIN)[0], "acknowledged", "Ann")
    put(client, keys, [act, act])
    put(client, keys, [act])
    client.hset(keys.incident_acts(), "x", "{}")
    assert open_queries(settings).acts() == (act,)
    assert acts_of([b"[]"]) == ()


@pytest.mark.timeout(120)
def test_acts_come_back_after_the_store_was_emptied(settings: Settings, redis_server: RedisServer, tmp_path: Path) -> None:
    settings = changed(settings, redis=redis_server.url, give_up_after=60.0, grace=1.0)
    make_topics(settings)
    act = new_act(country_gone(BEGIN)[0], "acknowledged", "Ann")
    write(settings, act, lambda key, value: send(settings, key, value))
    client, keys = Books(settings).client, Keys(settings.redis_prefix)
    client.delete(keys.incident_acts())
    with workers(settings, tmp_path, 1):
        # Of an act that the topic has and Redis did not take, a worker that starts makes up for it.
        eventually(lambda: open_queries(settings).acts() == (act,), "the act is there", timeout=60)
        assert StoreState.read(client.hgetall(keys.store())).state == READY
        client.flushall()
        eventually(lambda: open_queries(settings).acts() == (act,), "the act is back", timeout=60)
    assert life_of([act]).state == "acknowledged"
