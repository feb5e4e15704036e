"""No single record moves the stream's time; what comes after its window was final is marked, whoever judges it again."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from reporter.periods import parse_length, up_to
from stream_app.contract import load_shop
from stream_app.names import AS_OF, FINDINGS, LATE, Topics
from stream_app.settings import Settings
from stream_app.store.queries import open_queries
from stream_app.views.pulse import read_pulse
from stream_app.views.ranges import TimeRange
from stream_app.views.reading import read_range
from stream_app.windows.grain import Grain
from tests.support.crew import changed, crew_at_work, stocked_crew
from tests.support.paths import ROOT
from tests.support.recount import assert_exact, recount, rules_of
from tests.support.stream import (
    Books,
    Raw,
    Seen,
    Worker,
    await_settled,
    await_workers,
    customer,
    make_topics,
    order,
    produce,
    product,
    read_topic,
    workers,
)  # fmt: skip
from tests.support.waiting import eventually, soon

RETAIL = ROOT / "examples" / "online-retail"


def iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def sale(number: int, when: str, headers: Iterable[tuple[str, bytes]] = ()) -> Raw:
    """A line of the shop of the example, whose contract does not bound its date."""
    fields = {
        "invoice_no": f"{500_000 + number}", "stock_code": "85123A", "product_id": None, "line_type": "sale",
        "description": "X", "quantity": 2, "price": 2.5, "customer_id": None, "country": "France", "invoice_date": when,
    }  # fmt: skip
    return Raw("orders", b"%d" % (500_000 + number), json.dumps(fields).encode(), tuple(headers))


def replayed(number: int, when: float) -> Raw:
    """The same as a replay sends it: judged as of its own event time."""
    return sale(number, iso(when), [(AS_OF, b"%d" % (int(when) * 1000))])


def monitored(books: Books) -> int:
    """The start (s) of the last window that the monitor looked at."""
    return int(books.client.hget(books.keys.monitor("orders", Grain.MINUTE), "at") or 0)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["live", "replay"])
def test_one_line_dated_ahead_does_not_move_the_stream(kind: str, settings: Settings, tmp_path: Path) -> None:
    settings = changed(settings, shop=RETAIL, partitions=2, anomaly_window="minute", window_grace=1.0)
    make_topics(settings, load_shop(RETAIL))
    now = time.time()
    begin = now - 7_200 if kind == "live" else 1_291_190_400.0
    last = begin + 400 * 10
    books, queries = Books(settings), open_queries(settings)
    with workers(settings, tmp_path) as crew:
        await_workers(settings, crew)
        times = [begin + number * 10 for number in range(1, 401)]
        produce(settings, [sale(n, iso(at)) if kind == "live" else replayed(n, at) for n, at in enumerate(times, 1)])
        await_settled(settings, {"orders": 400}, crew)
        ahead = [now + 365 * 86_400, 253_370_764_799, 253_402_300_799]
        produce(settings, [sale(500 + n, iso(at)) if kind == "live" else replayed(500 + n, at) for n, at in enumerate(ahead)])
        await_settled(settings, {"orders": 403}, crew)
        # The monitor comes up to the other records, and does not go on.
        eventually(lambda: monitored(books) >= last - 180, "the monitor has come to the last records", 30)
        time.sleep(2)
        assert monitored(books) <= now + 60 if kind == "live" else monitored(books) <= last
    counts = recount(settings, "orders")
    assert len(counts.clean) == 402
    assert ["invoice_date.range" in rules_of(record, FINDINGS) for record in counts.dead.values()] == [True]
    stream_ms = read_pulse(queries).stream_ms
    # A live record that is dated ahead counts up to when it was sent.
    assert stream_ms is not None
    assert (now * 1000 - 1_000 <= stream_ms <= time.time() * 1000) if kind == "live" else stream_ms == int(last) * 1000
    sales = read_range(queries, TimeRange.LAST_DAY).windows["orders"]
    assert sum(window.counts.clean for window in sales) == 400
    period = up_to(stream_ms, parse_length("24h"))
    assert queries.period(period.start, period.end)["orders"].counts.clean == 400


@pytest.mark.timeout(90)
def test_a_kafka_timestamp_that_is_not_plausible_rejects_nothing(settings: Settings, tmp_path: Path) -> None:
    now = int(time.time() * 1000)
    with stocked_crew(settings, tmp_path) as crew:
        stamps = [-1, 1, now // 1000, now * 1000]
        today = iso(time.time())
        produce_stamped(settings, "orders", [(stamp, order(n, order_date=today)) for n, stamp in enumerate(stamps, 1)])
        produce_stamped(settings, "customers", [(stamp, customer(10 + n)) for n, stamp in enumerate(stamps)])
        produce_stamped(settings, "orders", [(-1, Raw("orders", b"1", b"{"))])
        await_settled(settings, {"orders": 5, "customers": 5}, crew)
    counted = assert_exact(settings)
    assert [rules_of(record, FINDINGS) for record in counted["orders"].dead.values()] == [["record.syntax"]]
    assert len(counted["customers"].dead) == 0
    books = Books(settings)
    for entity in ("orders", "customers"):
        starts = [int(one) for one in books.client.zrange(books.keys.windows(entity, Grain.DAY), 0, -1)]
        assert min(starts) >= now / 1000 - 2 * 86_400, f"{entity}: a window of {iso(min(starts))}"


def produce_stamped(settings: Settings, entity: str, rows: list[tuple[int, Raw]]) -> None:
    """Send records with these Kafka timestamps, which most clients would correct."""
    import asyncio

    from aiokafka import AIOKafkaProducer

    async def send() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, enable_idempotence=False)
        await producer.start()
        try:
            batch = producer.create_batch()
            for stamp, raw in rows:
                assert batch.append(key=raw.key, value=raw.value, timestamp=stamp) is not None
            batch.close()
            await (await producer.send_batch(batch, Topics(entity, settings.topic_prefix).raw, partition=0))
        finally:
            await producer.stop()

    asyncio.run(send())


def late_ones(settings: Settings, topic: str) -> dict[str, bytes]:
    """Source → header of the late records in a topic."""
    found: list[Seen] = read_topic(settings, topic)
    return {record.source: value for record in found if (value := record.header(LATE)) is not None}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("policy", ["accept", "reject"])
def test_late_records_are_marked_counted_and_routed_and_stay_so_after_a_crash(
    policy: str, settings: Settings, tmp_path: Path
) -> None:
    shop = tmp_path / "shop"
    shutil.copytree(ROOT / "stream_app" / "contracts", shop)
    contract = shop / "orders.odcs.yaml"
    before = "      - property: unknownFields\n"
    wish = f"      - {{property: late, value: {policy}}}\n"
    contract.write_text(contract.read_text("utf-8").replace(before, wish + before), "utf-8")
    settings = changed(settings, shop=shop, partitions=1, window_grace=60.0, anomaly_window="minute")
    topics, books = Topics("orders", settings.topic_prefix), Books(settings)
    # Orders 1 to 20 are a second apart; 400 is more than a minute and the grace later, so that the minutes before are final.
    records = [customer(1), product(1), *(order(n) for n in range(1, 21)), order(400)]
    belated = [order(21), order(22, quantity=0), order(23, customer_id=2), order(401)]
    with crew_at_work(settings, tmp_path, records=records) as crew:
        await_settled(settings, {"orders": 21}, crew)
        crew[0].terminate()
        crew[0] = Worker(settings, tmp_path / "fragile.log", ("before.apply", 1))
        await_workers(settings, crew)
        produce(settings, belated)
        # It delivers the late records, and dies before it counts them; their neighbours have moved the clock on since.
        soon(lambda: not crew[0].running, 30)
        crew[0].kill()
        crew[0] = Worker(settings, tmp_path / "second.log")
        await_workers(settings, crew)
        produce(settings, [customer(2)])
        await_settled(settings, {"orders": 25}, crew)
    counts = assert_exact(settings, ("orders",))["orders"]
    total = books.total("orders")
    assert total["late"] == 3
    clean, dead = late_ones(settings, topics.clean), late_ones(settings, topics.dead_letter)
    found = [[rule for rule in rules_of(record, FINDINGS) if rule.startswith("record.")] for record in counts.dead.values()]
    if policy == "accept":
        assert ({len({*clean}), len({*dead})}, found) == ({2, 1}, [[]])
    else:
        assert (len({*clean}), len({*dead}), found) == (0, 3, [["record.late"]] * 3)
    assert {*clean.values(), *dead.values()} == {b"1700000340000"}
    restated = [
        int(books.client.hget(books.keys.window("orders", Grain.HOUR, int(start)), "late") or 0)
        for start in books.client.zrange(books.keys.windows("orders", Grain.HOUR), 0, -1)
    ]
    assert sum(restated) == 3
