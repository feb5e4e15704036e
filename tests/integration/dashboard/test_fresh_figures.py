"""A page that stays open shows, after any change of the store, what a page of a new process shows."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pyarrow as pa
import pytest
import redis
from streamlit.testing.v1 import AppTest

from dashboard import data
from dashboard.charts import findings, quality, sales, segments
from dashboard.parts import rule_panel, tiles
from dashboard.text import local
from stream_app.counts import fields, sums
from stream_app.counts.kept import Kept
from stream_app.settings import load_settings
from stream_app.store import local_days
from stream_app.store.queries import open_queries
from stream_app.views import totals
from stream_app.views.quality import read_quality
from stream_app.views.ranges import TimeRange
from stream_app.windows.grain import Grain
from stream_app.windows.zone import UTC, Zone
from tests.support.fill import Shop
from tests.support.pages import open_page

pytestmark = pytest.mark.slow

#: All that a refresh reads again once its time is over.
READS = (
    data.overview, data.usual, data.usual_valid, data.quality, data.findings, data.incidents, data.status, data.reports,
    data.report, data.pulse, data.server,
)  # fmt: skip
DAYS = 61


@pytest.fixture(autouse=True)
def in_utc() -> Iterator[None]:
    yield
    local.use(UTC)


@pytest.fixture
def shop(redis_url: str) -> Iterator[Shop]:
    now = time.time_ns() // 1_000_000
    with redis.Redis.from_url(redis_url) as client:
        yield filled(client, now, seed=7)


def filled(client: redis.Redis, now: int, seed: int) -> Shop:
    """A shop of two months, with its incidents."""
    shop = Shop(client, "headrace", until=now // 1_000 - 4, now_ms=now, seed=seed)
    shop.announce()
    shop.fill(DAYS * 1_440, per_minute=0.05)
    shop.incidents()
    shop.beat()
    client.hset(shop.keys.store(), "epoch", str(seed))
    return shop


def refresh(page: AppTest) -> AppTest:
    for each in READS:
        each.clear()
    page.run()
    assert not page.exception
    return page


def shown(page: AppTest) -> list[Any]:
    """The figures of a page: tiles, charts with their rows, tables and captions."""
    found: list[Any] = [(tile.label, tile.value, tile.delta) for tile in page.metric]
    for one in page.get("vega_lite_chart"):
        proto = one.proto.vega_lite_chart if hasattr(one.proto, "vega_lite_chart") else one.proto
        rows = [pa.ipc.open_stream(each.data.data).read_all().to_pylist() for each in proto.datasets]
        found.append((json.loads(proto.spec), rows))
    found += [table.value.to_json(orient="records") for table in page.dataframe]
    return found + [caption.value for caption in page.caption]


def of_a_new_process(monkeypatch: pytest.MonkeyPatch, page: AppTest) -> list[Any]:
    """Return what the same viewer sees if nothing of before is known and nothing is kept; what is kept stays as it is."""
    with monkeypatch.context() as patch:
        for module in (findings, quality, sales, segments, rule_panel, tiles):
            for called, function in list(vars(module).items()):
                if str(getattr(function, "__module__", "")).startswith("dashboard.charts") and not called.startswith("_"):
                    patch.setattr(module, called, getattr(function, "__wrapped__", function))
        for module, called in ((sums, "_SUMS"), (local_days, "_DAYS"), (totals, "_QUALITIES")):
            patch.setattr(module, called, Kept(0))
        patch.setattr(data, "_queries", lambda: open_queries(data.settings()))
        return shown(refresh(page))


def count(shop: Shop, at: int) -> None:
    """Count four rejected orders at a moment (s)."""
    found = (fields.finding("price.type"), fields.dimension("conformity"))
    spain = (fields.segment("product_id.category", what, "Toys") for what in (fields.RECEIVED, fields.REJECTED))
    for name in (fields.RECEIVED, fields.REJECTED, fields.LATE, *found, *spain):
        for grain in Grain:
            shop.client.hincrby(shop.keys.window("orders", grain, grain.start(at)), name, 4)
        shop.client.hincrby(shop.keys.total("orders"), name, 4)


def late_record(shop: Shop) -> None:
    """Records come into windows that have been final for ten days."""
    count(shop, shop.until - 10 * 86_400)


def running_window(shop: Shop) -> None:
    """Records come into the windows that still count."""
    count(shop, shop.until)


def previous_range(shop: Shop) -> None:
    """A late record changes what the range is compared with."""
    count(shop, shop.until - 45 * 86_400)


def restored(shop: Shop) -> None:
    """The store is emptied, and filled again with other counts in another epoch."""
    shop.client.flushdb()
    filled(shop.client, shop.now_ms, seed=8)


def other_contract(shop: Shop) -> None:
    """A worker announces a contract in which a rule counts as information only, and which weighs more."""
    summary = shop.summaries["orders"]
    rule = msgspec.structs.replace(summary.rules["quantity.minimum"], severity="info")
    rules = {**summary.rules, "quantity.minimum": rule}
    changed = msgspec.structs.replace(summary, rules=rules, weight=5.0)
    shop.client.hset(shop.keys.contracts(), "orders", changed.to_json())


def incident_closed(shop: Shop) -> None:
    """The monitor closes the incident of sales, and finds that it lasted longer."""
    for incident_id, document in shop.client.hgetall(shop.keys.incidents()).items():
        incident = json.loads(document)
        if incident["metric"] == "revenue":
            incident |= {"state": "closed", "end": incident["end"] + 7_200, "observed": 1.0}
            shop.client.hset(shop.keys.incidents(), incident_id, json.dumps(incident))


#: Change → the pages that show it.
CHANGES: dict[Callable[[Shop], None], tuple[str, ...]] = {
    late_record: ("overview", "quality"),
    running_window: ("overview", "quality"),
    previous_range: ("overview", "quality"),
    restored: ("overview", "quality"),
    other_contract: ("overview", "quality"),
    incident_closed: ("overview",),
}


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
@pytest.mark.parametrize("name", ["overview", "quality"])
def test_an_open_page_shows_every_change_at_its_next_refresh(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, name: str, zone: str
) -> None:
    monkeypatch.setenv("HEADRACE_TIMEZONE", zone)
    local.use(Zone(zone))
    page = open_page(name, range="30d")
    before = shown(page)
    assert shown(refresh(page)) == before
    # Beside each other, because a change may hide what another one has left behind.
    for change in [change for change, pages in CHANGES.items() if name in pages]:
        change(shop)
        after = shown(refresh(page))

        assert after != before, f"{change.__name__} is not shown"
        assert after == of_a_new_process(monkeypatch, page), f"something is stale after {change.__name__}"
        before = after


def test_a_late_record_is_in_the_figures_of_the_very_next_refresh(shop: Shop) -> None:
    page = open_page("quality", range="30d")
    before = {tile.label: tile.value for tile in page.metric}
    late_record(shop)
    after = {tile.label: tile.value for tile in refresh(page).metric}

    read = int(before["Records in"].replace(",", "")), int(after["Records in"].replace(",", ""))
    assert read[1] - read[0] == 4
    assert "4 records came after" in " ".join(caption.value for caption in page.caption)


def test_two_shops_in_one_process_have_their_own_figures(shop: Shop, redis_url: str) -> None:
    other = Shop(shop.client, "other", until=shop.until, now_ms=shop.now_ms, seed=9)
    other.announce()
    other.fill(DAYS * 1_440, per_minute=0.02)
    queries = {prefix: open_queries(load_settings(redis=redis_url, redis_prefix=prefix)) for prefix in ("headrace", "other")}
    for _ in range(2):
        for prefix, of in (("headrace", shop), ("other", other)):
            view = read_quality(queries[prefix], TimeRange.ALL)
            counts = {entity: recount.total() for entity, recount in of.recounts.items()}
            assert {entity: one.received for entity, one in view.counts.items()} == {
                entity: one["in"] for entity, one in counts.items()
            }
            first = min(point.start for point in view.series)
            drawn = sum(point.clean + point.rejected for point in view.outcomes if point.start >= first)
            assert drawn == sum(one["clean"] + one["rejected"] for one in counts.values())
