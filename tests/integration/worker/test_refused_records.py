"""A record that its topic refuses for good is kept in another form; counts and topics agree, with transactions too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from stream_app.names import FINDINGS, NULL_KEY, TIMESTAMP, Topics
from stream_app.settings import Settings
from tests.support.crew import changed, crew_at_work, stocked_crew
from tests.support.recount import Recount, assert_exact, recount, rules_of
from tests.support.stream import Books, Raw, await_settled, customer, order, produce
from tests.support.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
DAY = 86_400_000
SMALL = {"max.message.bytes": "20000"}
OLD = {"message.timestamp.before.max.ms": str(DAY)}


@pytest.fixture(params=[False, True], ids=["at least once", "exactly once"])
def shop(request: pytest.FixtureRequest, kafka: str, settings: Settings) -> Settings:
    return changed(settings, kafka=kafka, session_timeout=6.0, partitions=1, exactly_once=request.param, give_up_after=20.0)


def create(settings: Settings, entity: str, **configs: dict[str, str]) -> Topics:
    """Create an entity's topics; ``configs``: of clean, dead_letter and pending."""
    topics = Topics(entity, settings.topic_prefix)
    names = {"raw": topics.raw, "clean": topics.clean, "dead_letter": topics.dead_letter, "pending": topics.pending}
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka)
    try:
        admin.create_topics([NewTopic(name, 1, 1, topic_configs=configs.get(kind, {})) for kind, name in names.items()])
    finally:
        admin.close()
    return topics


def cut_or_not(settings: Settings, entity: str) -> Recount:
    """A recount that forgives dead letters that say that they were cut."""
    counts = recount(settings, entity)
    for source, record in list(counts.dead.items()):
        raw = counts.raw[source]
        if any(name.startswith("headrace.truncated") for name, _ in record.headers):
            counts.dead[source] = replace(record, value=raw.value)
        if record.header(NULL_KEY) is not None:
            counts.dead[source] = replace(record, key=raw.key)
    return counts


def long_order(number: int, size: int, customer_id: int = 1) -> Raw:
    """A good order with a long text in a field that the contract does not know, or white space: clean ones are short."""
    made = order(number, customer_id)
    return replace(made, value=(made.value or b"")[:-1] + b" " * size + b"}")


def good_orders(begin: int, end: int) -> Iterator[Raw]:
    return (order(number) for number in range(begin, end))


def test_timestamps_that_no_output_topic_takes(shop: Settings, tmp_path: Path) -> None:
    topics = create(shop, "orders", clean=OLD, dead_letter=OLD, pending=OLD)
    old = int(time.time() * 1000) - 5 * DAY
    with stocked_crew(shop, tmp_path) as crew:
        records = [*good_orders(1, 50), order(50, 2), order(51, quantity=-1), *good_orders(52, 101)]
        produce(shop, [replace(one, timestamp=old) for one in records])
        eventually(lambda: Books(shop).total("orders").get("pending") == 1, "one waits", 40)
        produce(shop, [customer(2)])
        await_settled(shop, {"orders": 100}, crew)
        assert crew[0].terminate() == 0
    counted = assert_exact(shop)["orders"]
    for record in [*counted.clean.values(), *counted.dead.values()]:
        assert record.header(TIMESTAMP) == b"%d" % old
        assert record.timestamp > old + DAY
    assert topics.clean  # its limits were learned once


def test_a_compacted_clean_topic_takes_records_without_a_key(shop: Settings, tmp_path: Path) -> None:
    create(shop, "customers", clean={"cleanup.policy": "compact"}, dead_letter={"cleanup.policy": "compact"})
    with crew_at_work(shop, tmp_path) as crew:
        bad = customer(4, country="Atlantis")
        produce(shop, [customer(1), replace(customer(2), key=None), customer(3), replace(bad, key=None)])
        await_settled(shop, {"customers": 4}, crew)
        assert crew[0].terminate() == 0
    counted = assert_exact(shop, ["customers"], cut_or_not)["customers"]
    keyed = [record for record in [*counted.clean.values(), *counted.dead.values()] if record.header(NULL_KEY)]
    assert len(keyed) == 2
    assert next(record for record in counted.clean.values() if record.header(NULL_KEY)).key is not None


def test_dead_letters_that_are_too_large_are_cut(shop: Settings, tmp_path: Path) -> None:
    create(shop, "orders", dead_letter=SMALL)
    with stocked_crew(shop, tmp_path) as crew:
        large = [Raw("orders", b"k", b'{"x":"' + b"y" * size + b'"}') for size in (30_000, 200_000, 300_000)]
        small = [Raw("orders", b"k", b'{"x":%d}' % number) for number in range(500)]
        produce(shop, [*good_orders(1, 50), *small, *large, *good_orders(50, 100)])
        await_settled(shop, {"orders": 602}, crew)
        assert crew[0].terminate() == 0
    counted = assert_exact(shop, count=cut_or_not)["orders"]
    assert len(counted.dead) == 503


@pytest.mark.parametrize("topic", ["clean", "pending"])
def test_what_its_topic_does_not_take_becomes_a_dead_letter(shop: Settings, topic: str, tmp_path: Path) -> None:
    create(shop, "orders", **{topic: {"max.message.bytes": "150" if topic == "clean" else "20000"}})
    with stocked_crew(shop, tmp_path) as crew:
        # A clean order has 100 bytes without its headers; one that waits is sent as it came.
        produce(shop, [*good_orders(1, 20), long_order(20, 30_000, 2), *good_orders(21, 41)])
        if topic == "pending":
            await_settled(shop, {"orders": 40}, crew)
        else:
            eventually(lambda: Books(shop).total("orders").get("pending") == 1, "one waits", 40)
            produce(shop, [customer(2)])
            await_settled(shop, {"orders": 40}, crew)
        assert crew[0].running
        assert crew[0].terminate() == 0
    counted = assert_exact(shop)["orders"]
    refused = [record for record in counted.dead.values() if "record.refused" in rules_of(record, FINDINGS)]
    assert len(refused) == len(counted.dead) == (40 if topic == "clean" else 1)
    # A record that was refused gives its key back.
    (tmp_path / "again").mkdir()
    with crew_at_work(shop, tmp_path / "again") as crew:
        produce(shop, [order(20)])
        await_settled(shop, {"orders": 41}, crew)
    assert "order_id.unique" not in str(assert_exact(shop)["orders"].dead)


def test_a_dead_letter_topic_that_takes_nothing_stops_the_entity_and_names_the_record(shop: Settings, tmp_path: Path) -> None:
    topics = create(shop, "orders", dead_letter={"max.message.bytes": "100"})
    with stocked_crew(shop, tmp_path) as crew:
        produce(shop, [order(1), order(2, quantity=-1)])
        eventually(lambda: f"takes the record {topics.raw}:0:1 in no form" in crew[0].output(), "it says so", 30)
        produce(shop, [customer(2)])
        await_settled(shop, {"customers": 2}, crew)
        assert crew[0].running
