"""The overview equals a recount of what was written, over every range."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import redis

from headrace.embedded import EmbeddedStack
from stream_app.errors import StoreError
from stream_app.store.keys import Keys
from stream_app.store.queries import Queries
from stream_app.views.overview import read_overview, suggested_range
from stream_app.views.pulse import read_status
from stream_app.views.ranges import TimeRange
from stream_app.windows.grain import MOST_WINDOWS, Grain
from stream_app.windows.zone import Zone
from tests.support.fill import Shop, a_live_shop

NOW = 1_790_000_123_000
PREFIX = "t"


@pytest.fixture(scope="module")
def client() -> Iterator[redis.Redis]:
    with EmbeddedStack(broker=False) as stack, redis.Redis.from_url(stack.redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture(scope="module")
def shop(client: redis.Redis) -> Shop:
    return a_live_shop(client, PREFIX, NOW, days=61, per_minute=0.6)


@pytest.fixture
def model(client: redis.Redis, shop: Shop) -> Queries:
    return Queries(client, PREFIX, now=lambda: NOW)


@pytest.fixture
def empty(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def test_status_equals_a_recount(model: Queries, shop: Shop) -> None:
    status = read_status(model)
    orders = shop.recounts["orders"].total()

    shown = status["entities"]["orders"]
    assert shown["in"] == orders["in"] + 3 == shown["clean"] + shown["rejected"] + shown["pending"]
    assert shown["findings"] == {name[2:]: n for name, n in sorted(orders.items()) if name.startswith("f:") and n}
    assert status["kpis"]["revenue"] == orders["rev"] / 100
    assert status["kpis"]["orders"] == orders["clean"]
    assert status["kpis"]["active_customers"] == shop.recounts["orders"].active(0, 1 << 62)
    assert status["lag"] == {"orders": 0, "customers": 0, "products": 0, "visits": 0}
    assert status["workers"] == 1
    assert status["freshness"]["orders"]["processed_at"] == "2026-09-21T14:15:21.800Z"


@pytest.mark.parametrize("chosen", [one for one in TimeRange if one.seconds])
def test_a_range_equals_a_recount_and_so_does_the_range_before(model: Queries, shop: Shop, chosen: TimeRange) -> None:
    overview = read_overview(model, chosen)
    span = overview.span
    assert span is not None
    assert span.previous is not None
    recount = shop.recounts["orders"]
    now, length = recount.between(span.start, span.end), span.end - span.start
    # The window that is still running is compared with nothing.
    end = span.grain.start(NOW / 1000)
    over, before = recount.between(span.start, end), recount.between(span.previous, end - length)

    assert span.end - span.start == chosen.seconds
    assert overview.kpis.orders.value == now["clean"]
    assert (overview.kpis.orders.compared, overview.kpis.orders.previous) == (over["clean"], before["clean"])
    assert overview.kpis.revenue.value == now["rev"] / 100
    assert (overview.kpis.revenue.compared, overview.kpis.revenue.previous) == (over["rev"] / 100, before["rev"] / 100)
    assert overview.kpis.active_customers.compared == recount.active(span.start, end)
    assert overview.kpis.active_customers.value == recount.active(span.start, span.end)
    assert sum((point.revenue or 0) for point in overview.sales_series) == pytest.approx(now["rev"] / 100)
    assert sum(point.orders for point in overview.sales_series) == now["clean"]
    found = {row.rule: row.count for row in overview.rules if row.entity == "orders"}
    assert found == {name[2:]: n for name, n in now.items() if name.startswith("f:") and n}
    assert sum(point.count for point in overview.findings_series) == sum(row.count for row in overview.rules)


@pytest.mark.parametrize("name", ["Europe/Berlin", "America/New_York", "Asia/Tokyo", "Asia/Kolkata"])
def test_thirty_days_of_a_time_zone_equal_a_recount(model: Queries, shop: Shop, name: str) -> None:
    zone = Zone(name)
    overview = read_overview(model, TimeRange.LAST_30_DAYS, zone=zone)
    span, recount = overview.span, shop.recounts["orders"]
    assert span is not None
    assert span.previous is not None
    now, today = recount.between(span.start, span.end), zone.day(NOW / 1000)
    over, before = recount.between(span.start, today), recount.between(span.previous, zone.shift(span.previous, 29))

    assert (span.windows, zone.day(span.start), span.end) == (30, span.start, zone.next_day(today))
    assert overview.kpis.orders.value == now["clean"]
    assert overview.kpis.revenue.value == now["rev"] / 100
    assert (overview.kpis.orders.compared, overview.kpis.orders.previous) == (over["clean"], before["clean"])
    assert overview.kpis.active_customers.value == recount.active(span.start, span.end)
    assert overview.kpis.active_customers.compared == recount.active(span.start, today)
    days = zone.days(span.start, span.end)
    for point, start in zip(overview.sales_series, days, strict=True):
        counted = recount.between(start, zone.next_day(start))
        assert (point.start, point.orders, point.revenue) == (start, counted["clean"], counted["rev"] / 100)
    found = {row.rule: row.count for row in overview.rules if row.entity == "orders"}
    assert found == {name[2:]: n for name, n in now.items() if name.startswith("f:") and n}


@pytest.mark.parametrize(("until", "hours"), [("2026-03-29T21:30", 23), ("2026-10-25T21:30", 25)])
def test_a_day_on_which_the_clocks_change_equals_a_recount(empty: redis.Redis, until: str, hours: int) -> None:
    end, zone = int(datetime.fromisoformat(until + "+00:00").timestamp()), Zone("Europe/Berlin")
    shop = Shop(empty, PREFIX, end, end * 1000)
    shop.announce()
    shop.fill(62 * 24 * 60, per_minute=0.1)
    for chosen in (TimeRange.LAST_30_DAYS, TimeRange.LAST_WEEK):
        overview = read_overview(Queries(empty, PREFIX, now=lambda: end * 1000), chosen, zone=zone)
        assert overview.span is not None
        start, recount = zone.day(end), shop.recounts["orders"]
        points = [point for point in overview.sales_series if start <= point.start < zone.next_day(start)]
        counted = recount.between(start, zone.next_day(start))

        assert zone.next_day(start) - start == hours * 3_600
        assert sum(point.orders for point in points) == counted["clean"] > 0
        assert sum(point.revenue or 0 for point in points) == pytest.approx(counted["rev"] / 100)
        assert overview.kpis.orders.value == recount.between(overview.span.start, overview.span.end)["clean"]
        assert overview.kpis.active_customers.value == recount.active(overview.span.start, overview.span.end)


def test_all_time_equals_the_totals_and_has_nothing_before(model: Queries, shop: Shop) -> None:
    overview = read_overview(model, TimeRange.ALL)
    total = shop.recounts["orders"].total()

    assert overview.kpis.orders.value == total["clean"]
    assert overview.kpis.orders.previous is None
    assert overview.kpis.orders.change is None
    assert sum(point.orders for point in overview.sales_series) == total["clean"]
    assert not overview.clipped


@pytest.mark.parametrize("chosen", list(TimeRange))
def test_no_range_reads_more_windows_than_allowed(
    client: redis.Redis, model: Queries, chosen: TimeRange, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[tuple[str, ...]] = []
    requests = 0
    execute = redis.client.Pipeline.execute

    def counted(self: Any, *args: Any, **more: Any) -> Any:
        nonlocal requests
        requests += 1
        commands.extend(tuple(map(str, command[0])) for command in self.command_stack)
        return execute(self, *args, **more)

    monkeypatch.setattr(redis.client.Pipeline, "execute", counted)
    read_overview(model, chosen)

    windows = [command for command in commands if command[0] == "HGETALL" and ":win:orders:" in command[1]]
    assert 0 < len(windows) <= MOST_WINDOWS
    assert requests <= 6


def test_a_window_that_has_not_ended_is_marked(model: Queries) -> None:
    series = read_overview(model, TimeRange.LAST_DAY).sales_series

    assert [point.complete for point in series] == [True] * 23 + [False]


def test_before_the_first_worker_everything_is_empty(empty: redis.Redis) -> None:
    model = Queries(empty, PREFIX)

    status = read_status(model)
    memory = status.pop("memory")
    assert memory["used"] > 0
    assert not any(memory["kinds"].values())
    assert (memory["per_day"], memory["days_left"]) == (None, None)
    assert status == {
        "entities": {},
        "kpis": {
            "active_customers": 0,
            "orders": 0,
            "revenue": 0.0,
            "currency": None,
            "revenue_by_currency": {},
            "rates": {},
            "cancelled": 0,
            "active_share": None,
            "visits": None,
            "conversion_rate": None,
            "valid_records": None,
            "valid_target": 0.98,
            "conformity": None,
        },
        "freshness": {},
        "lag": {},
        "workers": 0,
        "estimates": [],
        "lost": {},
        "losses": [],
        "notes": {},
        "trouble": [],
        "stopped": [],
    }
    assert read_overview(model, TimeRange.LAST_HOUR).span is None
    assert suggested_range(model) is TimeRange.LAST_15_MINUTES


def test_a_worker_without_records_yet_shows_zeros_and_unknown_times(empty: redis.Redis) -> None:
    shop = Shop(empty, PREFIX, until=NOW // 1000, now_ms=NOW)
    shop.announce()
    status = read_status(Queries(empty, PREFIX, now=lambda: NOW))

    assert status["entities"]["orders"]["in"] == 0
    assert status["freshness"]["orders"] == {"event_time": None, "processed_at": None}
    assert status["lag"]["orders"] is None


def test_a_client_that_does_not_decode_reads_the_same(empty: redis.Redis) -> None:
    shop = Shop(empty, PREFIX, until=NOW // 1000, now_ms=NOW)
    shop.announce()
    shop.fill(30)
    shop.recent(5)
    shop.beat()
    overview = read_overview(Queries(empty, PREFIX, now=lambda: NOW), TimeRange.ALL)

    assert overview.kpis.orders.value == shop.recounts["orders"].total()["clean"]
    assert len(overview.recent) == 5
    assert overview.workers[0].lag == {"orders": 0, "customers": 0, "products": 0, "visits": 0}


def test_a_short_stream_is_seen_by_the_minute(empty: redis.Redis) -> None:
    shop = Shop(empty, PREFIX, until=NOW // 1000, now_ms=NOW)
    shop.announce()
    shop.fill(45)
    overview = read_overview(Queries(empty, PREFIX, now=lambda: NOW), TimeRange.ALL)

    assert overview.span is not None
    assert overview.span.grain is Grain.MINUTE
    assert overview.kpis.orders.series


def test_a_record_rejected_for_its_date_of_1970_does_not_stretch_the_axis(empty: redis.Redis) -> None:
    shop = Shop(empty, PREFIX, until=NOW // 1000, now_ms=NOW)
    shop.announce()
    shop.fill(45)
    keys = Keys(PREFIX)
    for grain in Grain:
        empty.zadd(keys.windows("orders", grain), {"0": 0})
        empty.hset(keys.window("orders", grain, 0), mapping={"in": 1, "rejected": 1, "f:order_date.minimum": 1})
    overview = read_overview(Queries(empty, PREFIX, now=lambda: NOW), TimeRange.ALL)

    assert overview.first is not None
    assert overview.first > NOW / 1000 - 3_600


def test_a_replay_of_2010_looks_right_beside_customers_that_arrive_today(empty: redis.Redis) -> None:
    then = 1_291_191_960
    shop = Shop(empty, PREFIX, until=then, now_ms=NOW)
    shop.announce()
    shop.fill(180, only="orders")
    late = Shop(empty, PREFIX, until=NOW // 1000, now_ms=NOW)
    late.recounts["customers"].minutes[NOW // 60_000 * 60] = shop.recounts["orders"].total()
    late.write("customers", keep_all=False)
    overview = read_overview(Queries(empty, PREFIX, now=lambda: NOW), TimeRange.LAST_HOUR)

    assert overview.stream_ms is not None
    assert overview.stream_ms // 1000 < then + 60
    assert overview.kpis.orders.value == shop.recounts["orders"].between(overview.span.start, overview.span.end)["clean"]  # type: ignore[union-attr]
    assert overview.outside == ("customers",)


def test_workers_that_stopped_reporting_are_gone(empty: redis.Redis) -> None:
    shop = Shop(empty, PREFIX, until=NOW // 1000, now_ms=NOW)
    shop.announce()
    shop.beat({"orders": 5}, worker="a")
    shop.beat({"orders": 7}, worker="b")
    shop.beat({"orders": 9}, worker="gone", at=NOW - 15_001)
    empty.hset(Keys(PREFIX).workers(), "odd", "no json")
    status = read_status(Queries(empty, PREFIX, now=lambda: NOW))

    assert status["workers"] == 2
    assert status["lag"]["orders"] == 12


def test_no_redis_says_where_and_what_to_do_and_keeps_the_password() -> None:
    client = redis.Redis.from_url("redis://someone:s3cret@127.0.0.1:1/0", socket_connect_timeout=0.5)

    with pytest.raises(StoreError, match=r"Redis at 127\.0\.0\.1:1 cannot be reached.*HEADRACE_REDIS") as caught:
        read_status(Queries(client, PREFIX))
    assert "s3cret" not in str(caught.value)
    assert "someone" not in str(caught.value)


@pytest.mark.parametrize(
    "command",
    [
        ("SET", "t:contracts", "text"),
        ("HSET", "t:contracts", "orders", "{}"),
        ("HSET", "t:total:orders", "in", "many"),
    ],
)
def test_keys_of_another_program_are_named(empty: redis.Redis, command: tuple[str, ...]) -> None:
    Shop(empty, PREFIX, until=NOW // 1000, now_ms=NOW).announce()
    empty.execute_command(*command)  # type: ignore[no-untyped-call]

    with pytest.raises(StoreError, match="HEADRACE_REDIS_PREFIX"):
        read_status(Queries(empty, PREFIX))
