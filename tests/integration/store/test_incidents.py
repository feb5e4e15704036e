"""Incidents in a real Redis: each window counts once whoever looks at it and whoever dies, and every change is sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import redis

from stream_app.contract import load_shop
from stream_app.monitor import Change, State
from stream_app.settings import Settings, load_settings
from stream_app.store import incidents as module
from stream_app.store.heartbeat import Heartbeat
from stream_app.store.incidents import Checkpoint, IncidentStore
from stream_app.store.keys import Keys
from stream_app.store.ownership import READY, RESTORING
from stream_app.store.queries import Queries
from stream_app.windows.grain import Grain
from stream_app.worker.announced import Announced
from stream_app.worker.watch import Watch
from tests.support.incidents import Message, incident
from tests.support.windows import HOUR, MONDAY, ORDERS, between, shop_hours

KEYS = Keys("headrace")
HOURS, FIRST, LAST = 100, 82, 88


@pytest.fixture
def client(redis_url: str) -> Iterator[Any]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def store(client: Any) -> IncidentStore:
    return IncidentStore(client, "headrace")


def commit(store: IncidentStore, before: int | None, after: int, changes: Sequence[Change] = ()) -> bool:
    checkpoint = Checkpoint(after, state(after))
    return store.commit("orders", Grain.HOUR, before, checkpoint, changes, lambda change: change.kind != "worse")


def state(at: int) -> State:
    new = State.new(ORDERS)
    new.at = at
    return new


def everything(client: Any) -> dict[bytes, bytes]:
    return {key: client.dump(key) for key in client.scan_iter()}


def test_only_a_writer_at_the_checkpoint_may_commit(store: IncidentStore, client: Any) -> None:
    assert store.checkpoint("orders", Grain.HOUR) == (None, None)
    assert commit(store, None, 10, [Change("opened", incident(10))])
    before = everything(client)
    assert not commit(store, None, 10, [Change("opened", incident(10))])
    assert not commit(store, 9, 11, [Change("opened", incident(11))])
    assert everything(client) == before
    assert commit(store, 10, 11)
    assert store.checkpoint("orders", Grain.HOUR) == (11, state(11))
    assert store.checkpoint("orders", Grain.DAY) == (None, None)
    assert store.checkpoint("customers", Grain.HOUR) == (None, None)


def test_an_incident_comes_back_as_it_was_and_the_last_change_counts(store: IncidentStore, client: Any) -> None:
    commit(store, None, 1, [Change("opened", incident(1)), Change("closed", incident(1, "closed", outcome="recovered"))])
    (found,) = Queries(client, "headrace").incidents()
    assert found == incident(1, "closed", outcome="recovered")


def test_a_continued_incident_is_kept_but_not_sent(store: IncidentStore) -> None:
    commit(store, None, 1, [Change("opened", incident(1)), Change("continued", incident(1, windows=2))])
    commit(store, 1, 2, [Change("worse", incident(1, windows=3)), Change("closed", incident(1, "closed"))])
    assert [Change.from_json(one).kind for one in store.unsent("topic", 10)] == ["opened", "worse", "closed"]
    assert [Change.from_json(one).kind for one in store.unsent("people", 10)] == ["opened", "closed"]


def test_a_change_that_was_not_acknowledged_is_sent_again(store: IncidentStore) -> None:
    commit(store, None, 1, [Change("opened", incident(start)) for start in range(5)])
    taken = store.unsent("topic", 3)
    assert store.unsent("topic", 3) == taken
    store.remove_sent("topic", taken)
    assert [Change.from_json(one).incident.start for one in store.unsent("topic", 9)] == [3, 4]
    # Another worker had sent the same: nothing else is lost by it.
    store.remove_sent("topic", taken)
    assert len(store.unsent("topic", 9)) == 2


def test_the_newest_incidents_are_kept(store: IncidentStore, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INCIDENTS_KEPT", 3)
    for start in (5, 1, 4, 2, 3):
        at, _ = store.checkpoint("orders", Grain.HOUR)
        commit(store, at, (at or 0) + 1, [Change("opened", incident(start))])
    assert [one.start for one in Queries(client, "headrace").incidents()] == [5, 4, 3]


def test_one_worker_leads_until_it_falls_silent(store: IncidentStore, client: Any) -> None:
    assert store.lead("one", 60)
    assert store.lead("one", 60)
    assert not store.lead("two", 60)
    client.delete(KEYS.monitor_lease())
    assert store.lead("two", 60)


# --- a store that was restored ---------------------------------------------------------------------------------------


def ready(client: Any, epoch: int = 7, state: str = READY) -> None:
    client.hset(KEYS.store(), mapping={"epoch": epoch, "state": state})


def test_changes_that_the_topic_has_are_not_sent_again(store: IncidentStore, client: Any) -> None:
    ready(client)
    closed = incident(1, "closed", updated=50, outcome="recovered")
    assert store.announced(["orders"], Grain.HOUR, 7) is None
    assert store.restore([closed], {"orders": 50}, Grain.HOUR, 7)
    assert store.announced(["orders"], Grain.HOUR, 7) == {"orders": 50}
    store.epoch = 7
    unknown, late, new = incident(2, updated=40), incident(3, updated=50), incident(4, updated=60)
    again = incident(1, updated=10)
    commit(store, None, 1, [Change("opened", again), Change("opened", unknown), Change("opened", late)])
    # One that people never heard of is stored all the same, and its end is news.
    ended = incident(2, "closed", updated=70)
    commit(store, 1, 2, [Change("closed", closed), Change("opened", new), Change("closed", ended)])
    for recipient in ("topic", "people"):
        assert [Change.from_json(one).incident for one in store.unsent(recipient, 9)] == [late, new, ended]
    assert Queries(client, "headrace").incidents() == (new, late, ended, closed)


def test_an_incident_that_the_topic_has_as_open_is_closed_once(store: IncidentStore, client: Any) -> None:
    ready(client)
    # The windows in which it would be over have passed: what is newer than on the topic is sent.
    assert store.restore([incident(1, updated=10)], {"orders": 50}, Grain.HOUR, 7)
    store.epoch = 7
    commit(store, None, 1, [Change("opened", incident(1, updated=10)), Change("closed", incident(1, "closed", updated=30))])
    assert [Change.from_json(one).kind for one in store.unsent("topic", 9)] == ["closed"]


@pytest.mark.parametrize(("epoch", "state"), [(8, READY), (7, RESTORING), (0, "")])
def test_incidents_are_restored_only_in_the_epoch_they_were_read_for(
    store: IncidentStore, client: Any, epoch: int, state: str
) -> None:
    ready(client, epoch, state)
    before = everything(client)
    assert not store.restore([incident(1)], {"orders": 50}, Grain.HOUR, 7)
    assert everything(client) == before


def test_a_restored_incident_does_not_replace_a_newer_one(store: IncidentStore, client: Any) -> None:
    ready(client)
    commit(store, None, 1, [Change("opened", incident(1, updated=10)), Change("continued", incident(1, updated=20))])
    assert store.restore([incident(1, updated=10)], {"orders": 10}, Grain.HOUR, 7)
    assert [one.updated for one in Queries(client, "headrace").incidents()] == [20]


def test_nobody_commits_windows_of_another_epoch(store: IncidentStore, client: Any) -> None:
    ready(client)
    assert store.restore([], {"orders": 0}, Grain.HOUR, 7)
    assert not commit(store, None, 1)
    store.epoch = 7
    assert commit(store, None, 1)
    client.flushdb()
    assert not commit(store, None, 1)


def test_the_monitor_steps_through_lost_windows_again_and_sends_nothing_twice(client: Any, redis_url: str) -> None:
    fill(client)
    rounds(watcher(redis_url))
    store, queries = IncidentStore(client, "headrace"), Queries(client, "headrace")
    topic = Announced()
    topic.take([Message(Change.from_json(one).incident) for one in store.unsent("topic", 9)])
    before = queries.incidents()
    client.flushdb()
    fill(client)
    ready(client)
    watch = watcher(redis_url)
    assert not watch.adopt(7)
    watch.restore(topic, 7)
    assert queries.incidents() == before
    # Whoever leads next need not read the topic.
    watch = watcher(redis_url)
    assert watch.adopt(7)
    rounds(watch)
    assert watch.store.checkpoint("orders", Grain.HOUR).window == MONDAY + (HOURS - 1) * HOUR
    assert queries.incidents() == before
    assert store.unsent("topic", 9) == []


def test_a_restored_incident_that_nothing_explains_any_more_is_closed(client: Any, redis_url: str) -> None:
    fill(client)
    ready(client)
    topic = Announced()
    at = MONDAY + 20 * HOUR
    gone = incident(at, metric="conformity", id=f"orders.conformity.{at}")
    topic.take([Message(gone)])
    watch = watcher(redis_url)
    watch.restore(topic, 7)
    assert watch.adopt(7)
    rounds(watch)
    assert [one.state for one in Queries(client, "headrace").incidents()] == ["closed", "closed"]
    changes = [Change.from_json(one) for one in watch.store.unsent("topic", 9)]
    assert [(one.kind, one.incident.metric) for one in changes].count(("closed", "conformity")) == 1


# --- whole rounds ----------------------------------------------------------------------------------------------------


def fill(client: Any) -> None:
    """An outage in the windows of the orders, and a worker that has read it all."""
    for start, counts in shop_hours(HOURS, twist=between(FIRST, LAST, lambda counts: counts.clear())):
        if counts:
            client.hset(KEYS.window("orders", Grain.HOUR, start), mapping=dict(counts))
            client.zadd(KEYS.windows("orders", Grain.HOUR), {str(start): start})
    end = (MONDAY + HOURS * HOUR) * 1000
    client.hset(KEYS.total("orders"), mapping={"et": end, "at": end + 10**10})
    beat(client)


def beat(client: Any, **more: Any) -> None:
    client.hset(KEYS.workers(), "w", Heartbeat(at=4_102_444_800_000, **{"lag": {"orders": 0}} | more).to_json())


def watcher(redis_url: str, **more: Any) -> Watch:
    settings = load_settings(redis=redis_url, window_grace=0, **more)
    # The test's worker reported in 2100; so long is its clock right.
    return Watch(load_shop(None), settings, "w", clock=lambda: 4_102_444_799_000)


def rounds(watch: Watch, times: int = 6) -> None:
    for _ in range(times):
        watch.round()


def test_an_outage_is_found_in_rounds_of_windows(client: Any, redis_url: str) -> None:
    fill(client)
    rounds(watcher(redis_url))
    (found,) = Queries(client, "headrace").incidents()
    assert (found.metric, found.state, found.observed) == ("volume", "closed", 0)
    assert found.end == MONDAY + LAST * HOUR
    at, state = IncidentStore(client, "headrace").checkpoint("orders", Grain.HOUR)
    assert at == MONDAY + (HOURS - 1) * HOUR
    assert state is not None


def test_watchers_that_race_send_each_change_once(client: Any, redis_url: str) -> None:
    fill(client)
    watches = [watcher(redis_url) for _ in range(4)]
    threads = [threading.Thread(target=rounds, args=(watch, 30)) for watch in watches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    changes = [Change.from_json(one) for one in IncidentStore(client, "headrace").unsent("topic", 100)]
    assert [(one.kind, one.incident.metric) for one in changes] == [("opened", "volume"), ("closed", "volume")]


class Died(Exception):
    """A process that is gone."""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_watcher_that_dies_at_the_commit_leaves_nothing_half_done(
    client: Any, redis_url: str, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    fill(client)
    for death in range(1, 4):
        watch, commits = watcher(redis_url), 0
        whole = watch.store.commit

        def dies(*args: Any, whole: Any = whole, death: int = death) -> bool:
            nonlocal commits
            commits += 1
            if commits == death and when == "before":
                raise Died
            done = bool(whole(*args))
            if commits == death:
                raise Died
            return done

        monkeypatch.setattr(watch.store, "commit", dies)
        try:
            rounds(watch)
        except Died:
            continue
    rounds(watcher(redis_url))
    changes = [Change.from_json(one) for one in IncidentStore(client, "headrace").unsent("topic", 100)]
    assert [one.kind for one in changes] == ["opened", "closed"]
    assert len({one.incident.id for one in changes}) == 1


def test_windows_are_not_final_before_every_partition_has_passed_them(client: Any, redis_url: str) -> None:
    fill(client)
    beat(client, lag={"orders": 7}, behind=(MONDAY + 10 * HOUR) * 1000)
    rounds(watcher(redis_url))
    assert IncidentStore(client, "headrace").checkpoint("orders", Grain.HOUR)[0] == MONDAY + 9 * HOUR
    beat(client, lag={"orders": 7}, behind=0)
    rounds(watcher(redis_url))
    assert IncidentStore(client, "headrace").checkpoint("orders", Grain.HOUR)[0] == MONDAY + 9 * HOUR


def test_a_checkpoint_that_one_record_of_the_future_left_there_is_taken_back(client: Any, redis_url: str) -> None:
    astray = (4_102_444_799 + 400 * 86_400) // HOUR * HOUR
    assert commit(IncidentStore(client, "headrace"), None, astray)
    fill(client)
    rounds(watcher(redis_url))
    assert IncidentStore(client, "headrace").checkpoint("orders", Grain.HOUR)[0] == MONDAY + (HOURS - 1) * HOUR
    assert [one.state for one in Queries(client, "headrace").incidents()] == ["closed"]


def test_customers_of_today_make_nothing_final_of_orders_of_another_year(client: Any, redis_url: str) -> None:
    client.hset(KEYS.total("customers"), mapping={"et": 4_102_444_000_000, "at": 4_102_444_000_000})
    beat(client)
    watch = watcher(redis_url)
    rounds(watch)
    fill(client)
    rounds(watch)
    assert IncidentStore(client, "headrace").checkpoint("orders", Grain.HOUR)[0] == MONDAY + (HOURS - 1) * HOUR
    assert [one.state for one in Queries(client, "headrace").incidents()] == ["closed"]


def test_nothing_is_final_while_no_worker_reports(client: Any, redis_url: str) -> None:
    fill(client)
    client.delete(KEYS.workers())
    rounds(watcher(redis_url))
    assert IncidentStore(client, "headrace").checkpoint("orders", Grain.HOUR) == (None, None)


def test_a_long_hole_is_no_history(client: Any, redis_url: str) -> None:
    fill(client)
    early = MONDAY - 400 * 24 * HOUR
    client.hset(KEYS.window("orders", Grain.HOUR, early), mapping={"in": 1, "clean": 1})
    client.zadd(KEYS.windows("orders", Grain.HOUR), {str(early): early})
    rounds(watcher(redis_url))
    assert len(Queries(client, "headrace").incidents()) == 1


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Messages that would have been sent."""
    sent: list[tuple[str, str]] = []

    def send(self: object, title: str, body: str, **more: Any) -> list[Any]:
        sent.append((title, body))
        return []

    monkeypatch.setattr("stream_app.notify.Notifier.send", send)
    return sent


def a_watch(redis_url: str, hour: int = 2_000, **more: Any) -> Watch:
    settings: Settings = load_settings(redis=redis_url, notify="json://127.0.0.1:1/", **more)
    return Watch(load_shop(None), settings, "w", clock=lambda: hour * 3_600_000)


def test_messages_beyond_the_limit_are_summed_up(store: IncidentStore, redis_url: str, messages: list[tuple[str, str]]) -> None:
    watch = a_watch(redis_url, notify_per_hour=3)
    commit(store, None, 1, [Change("opened", incident(start)) for start in range(2)])
    watch.notify()
    assert [title for title, _ in messages] == ["orders: number of records is low (error)"] * 2
    commit(store, 1, 2, [Change("opened", incident(start)) for start in range(30)])
    watch.notify()
    assert messages[2][0] == "Headrace: 30 changes of incidents"
    assert messages[2][1].endswith("and 10 more")
    commit(store, 2, 3, [Change("opened", incident(99))])
    watch.notify()
    assert len(messages) == 3
    assert len(store.unsent("people", 9)) == 1
    a_watch(redis_url, 2_001, notify_per_hour=3).notify()
    assert len(messages) == 4
    assert store.unsent("people", 9) == []


def test_people_get_changes_from_the_minimum_severity_on(redis_url: str) -> None:
    mild, bad = Change("opened", incident(1, severity="warning")), Change("opened", incident(1))
    assert [a_watch(redis_url).is_for_people(one) for one in (mild, bad)] == [False, True]
    assert [a_watch(redis_url, notify_severity="warning").is_for_people(one) for one in (mild, bad)] == [True, True]
    assert not watcher(redis_url).is_for_people(bad)


@pytest.mark.parametrize(
    ("assigned", "final"),
    [((12,), True), ((6, 6), True), ((6, 0), False), ((12, 6), False), ((0,), False)],
    ids=["one worker", "two workers", "a partition is on its way", "two think they have it", "none is assigned yet"],
)
def test_no_window_is_final_while_partitions_move_between_workers(
    store: IncidentStore, client: Any, assigned: tuple[int, ...], final: bool
) -> None:
    for number, count in enumerate(assigned):
        beat = Heartbeat(at=5_000 + number, assigned=count, partitions=12)
        client.hset(KEYS.workers(), f"w{number}", beat.to_json())
    assert store.progress(["orders"], 6_000).reported == (5_000 if final else None)
