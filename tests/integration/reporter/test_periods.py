"""Which period is reported, by the stream's time, and when: once as it ends, and once when an incident has closed."""

from __future__ import annotations

import time

import msgspec
import pytest
import redis

from reporter.author import TemplateAuthor
from reporter.periods import Period
from reporter.service import Reporter
from reporter.watch import Watch
from stream_app.errors import StoreError
from stream_app.monitor.incident import Incident
from stream_app.settings import Settings
from stream_app.store.connection import connect
from stream_app.store.keys import Keys
from stream_app.store.queries import Queries, open_queries
from stream_app.windows.grain import Grain
from tests.support.fill import Shop
from tests.support.staged import judged

MIDNIGHT = 1_790_035_200
HOUR, DAY = 3_600, 86_400


def at(seconds: int) -> int:
    return (MIDNIGHT + seconds) * 1000


@pytest.fixture
def shop(redis_url: str) -> Shop:
    """Three hours of trade up to 02:59:50 of the stream's day, with a window that no longer has its minutes."""
    with redis.Redis.from_url(redis_url) as client:
        shop = Shop(client, "headrace", until=MIDNIGHT + 3 * HOUR - 10, now_ms=at(3 * HOUR))
        shop.announce()
        shop.fill(180)
        return shop


@pytest.mark.parametrize(("start", "end"), [(0, 3 * HOUR), (60, 2 * HOUR + 120), (300, 360), (HOUR, 2 * HOUR)])
def test_what_is_read_of_a_period_equals_a_recount(settings: Settings, shop: Shop, start: int, end: int) -> None:
    read = open_queries(settings).period(MIDNIGHT + start, MIDNIGHT + end)

    for entity, recount in shop.recounts.items():
        counted = recount.between(MIDNIGHT + start, MIDNIGHT + end)
        counts = read[entity].counts
        assert (counts.received, counts.clean, counts.rejected) == (counted["in"], counted["clean"], counted["rejected"])
        assert counts.revenue_minor == counted["rev"]
        assert counts.findings == {name[2:]: n for name, n in counted.items() if name.startswith("f:")}


def test_a_period_whose_fine_windows_are_gone_is_refused_with_a_cure(
    settings: Settings, shop: Shop, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream_app.windows.grain._KEPT", {Grain.MINUTE: 60, Grain.HOUR: 100, Grain.DAY: 100})
    keys = Keys("headrace")
    with redis.Redis.from_url(redis_url) as client:
        client.zremrangebyrank(keys.windows("orders", Grain.MINUTE), 0, -61)

    with pytest.raises(StoreError, match=r"the period needs windows.*older.*full hours"):
        open_queries(settings).period(MIDNIGHT + 60, MIDNIGHT + HOUR)
    # Its own minutes are all there, those of the period before are not.
    with pytest.raises(StoreError, match=r"the previous period needs windows.*older.*full hours"):
        Reporter(settings, TemplateAuthor()).facts(Period(MIDNIGHT + 2 * HOUR + 600, MIDNIGHT + 2 * HOUR + 3_000))
    assert open_queries(settings).period(MIDNIGHT, MIDNIGHT + HOUR)["orders"].counts.received > 0
    # The stream does not become younger.
    assert MIDNIGHT <= (open_queries(settings).began() or 0) < MIDNIGHT + HOUR


class Watched:
    """A watch on a shop whose clock and stream the test moves."""

    def __init__(self, settings: Settings, shop: Shop, every: int) -> None:
        self.settings, self.shop, self.now = settings, shop, 0.0
        self.reporter = Reporter(settings, TemplateAuthor())
        self.watch = Watch(self.reporter, every, grace=0, pause=10, clock=lambda: self.now)

    def step(self, stream: int | None = None) -> str | None:
        """The length of the period that was reported, in minutes; None when none was due."""
        if stream is not None:
            for entity in self.shop.summaries:
                self.shop.client.hset(f"headrace:total:{entity}", "et", str(at(stream)))
        self.now += 11
        outcome = self.watch.step()
        if outcome is None:
            return None
        minutes = (outcome.report.end - outcome.report.start) // 60
        return f"{minutes}{'' if outcome.written_here else ' again'}"


def test_a_report_is_written_as_each_period_ends_and_only_of_the_newest(settings: Settings, shop: Shop) -> None:
    watched = Watched(settings, shop, HOUR)

    assert [watched.step(2 * HOUR), watched.step(), watched.step(2 * HOUR + 3_000)] == ["60", None, None]
    assert watched.step(9 * HOUR + 5) == "60"
    newest, *_ = open_queries(settings).reports()
    assert (newest.start, newest.end) == (MIDNIGHT + 8 * HOUR, MIDNIGHT + 9 * HOUR)
    assert len(open_queries(settings).reports()) == 2
    # Another reporter, or this one after a restart, finds what is there.
    assert Watched(settings, shop, HOUR).step() == "60 again"


def test_a_report_waits_for_the_monitor_for_a_minute_and_says_where_it_is(settings: Settings, shop: Shop) -> None:
    watched = Watched(settings, shop, HOUR)
    judged(shop.client, shop.keys, MIDNIGHT + 8 * HOUR, *shop.summaries)
    assert watched.step(2 * HOUR) == "60"
    # Ten minutes after the hour, its window is final: the monitor is to judge it first.
    assert [watched.step(9 * HOUR + 600)] + [watched.step() for _ in range(5)] == [None] * 6
    assert watched.step() == "60"
    (report, *_) = open_queries(settings).reports()
    assert report.facts["incidents.judged"]["value"] == MIDNIGHT + 8 * HOUR
    judged(shop.client, shop.keys, MIDNIGHT + 10 * HOUR, *shop.summaries)
    assert watched.step(10 * HOUR + 600) == "60"


def test_no_period_is_reported_before_all_workers_have_read_it(settings: Settings, shop: Shop) -> None:
    watched = Watched(settings, shop, HOUR)

    def beat(worker: str, behind: int | None = None) -> None:
        time.sleep(0.002)  # later than the look before, and not later than the next one, in whole milliseconds
        shop.beat(worker=worker, at=time.time_ns() // 1_000_000, behind=None if behind is None else at(behind))

    beat("w-1")
    beat("w-2")
    assert watched.step(2 * HOUR) is None, "no worker has reported since the stream was looked at"
    beat("w-1")
    beat("w-2", behind=HOUR - 600)
    assert watched.step() == "15", "what the second worker has read, a young stream's first report"
    beat("w-1")
    beat("w-2", behind=HOUR + 600)
    assert watched.step() == "60"
    beat("w-1")
    assert watched.step(3 * HOUR) is None, "one of them has not reported"
    beat("w-1")
    beat("w-2")
    assert watched.step() == "60"
    newest, *_ = open_queries(settings).reports()
    assert (newest.start, newest.end) == (MIDNIGHT + HOUR, MIDNIGHT + 2 * HOUR)


def test_however_fast_the_streams_time_runs_reports_keep_their_distance(settings: Settings, shop: Shop) -> None:
    watched = Watched(settings, shop, HOUR)
    assert watched.step(2 * HOUR) == "60"

    watched.now -= 5
    assert watched.step(3 * HOUR) is None
    assert watched.step(4 * HOUR) == "60"


def test_a_closed_incident_gets_its_report_once(settings: Settings, shop: Shop, redis_url: str) -> None:
    watched = Watched(settings, shop, HOUR)
    assert watched.step(2 * HOUR) == "60"
    incident = Incident(
        id="orders.volume.1", entity="orders", metric="volume", severity="error", state="open", start=MIDNIGHT + 600,
        end=MIDNIGHT + HOUR + 600, grain=Grain.MINUTE, windows=60, observed=5.0, expected=50.0, low=40.0, high=60.0,
        unit="records", direction="low", segment=None, updated=MIDNIGHT + HOUR + 600,
    )  # fmt: skip

    def keep(state: str) -> None:
        row = msgspec.structs.replace(incident, state=state)
        with redis.Redis.from_url(redis_url) as client:
            client.hset(Keys("headrace").incidents(), incident.id, row.to_json())

    keep("open")
    assert watched.step() is None
    keep("closed")
    # What breaks the volume breaks the revenue, in the same hours: so there is not a second report.
    revenue = msgspec.structs.replace(incident, id="orders.revenue.1", metric="revenue", state="closed")
    with redis.Redis.from_url(redis_url) as client:
        client.hset(Keys("headrace").incidents(), revenue.id, revenue.to_json())
    assert watched.step() == "120"  # whole hours around it
    assert watched.step() is None
    reports = open_queries(settings).reports()
    (about,) = [one for one in reports if one.end - one.start == 2 * HOUR]
    assert about.facts["incident.1.observed"]["rendering"] == "5 records"
    assert "fewer orders than expected" in about.markdown


def test_a_failing_store_is_survived_and_logged_once(settings: Settings, shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    gone = connect(settings.model_copy(update={"redis": type(settings.redis)("redis://127.0.0.1:1/0")}))
    reporter = Reporter(settings, TemplateAuthor(), queries=Queries(gone, "headrace"))

    watch = Watch(reporter, HOUR, 0)
    assert [watch.step() for _ in range(3)] == [None, None, None]
    assert len(caplog.messages) == 1


def test_a_young_stream_is_reported_in_shorter_periods_first(settings: Settings, shop: Shop) -> None:
    watched = Watched(settings, shop, HOUR)
    minutes = (0, 1, 2, 5, 7, 14, 15, 45, 60, 61)

    assert [watched.step(minute * 60) for minute in minutes] == [None, "1", None, "5", None, None, "15", None, "60", None]


def test_an_empty_period_is_no_report_until_there_has_been_one(settings: Settings, shop: Shop, redis_url: str) -> None:
    watched = Watched(settings, shop, HOUR)
    with redis.Redis.from_url(redis_url) as client:
        # A stray clean record of the evening before makes the stream look older than it is.
        client.hset(Keys("headrace").window("orders", Grain.DAY, MIDNIGHT - DAY), mapping={"in": 1, "clean": 1})
        for grain in (Grain.HOUR, Grain.MINUTE):
            start = grain.start(MIDNIGHT - 1_800)
            client.hset(Keys("headrace").window("orders", grain, start), mapping={"in": 1, "clean": 1})
        for grain in (Grain.DAY, Grain.HOUR, Grain.MINUTE):
            client.zadd(Keys("headrace").windows("orders", grain), {str(MIDNIGHT - DAY): MIDNIGHT - DAY})

    assert watched.step(5) is None
    assert watched.reporter.suggested().length == 15 * 60  # nothing to compare with, whatever the stray record says
    assert watched.step(HOUR) == "60"
    assert open_queries(settings).reports()[0].start == MIDNIGHT
    assert watched.step(9 * HOUR) == "60"
