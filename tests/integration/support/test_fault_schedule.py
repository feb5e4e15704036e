"""The schedule of a fault test is data: the same arguments make the same list, and all that it names exists."""

from __future__ import annotations

from stream_app.store.writer import Store
from tests.support.chaos.faults import FAULTS
from tests.support.chaos.schedule import EMBEDDED, LATE, SPANS, plan
from tests.support.fragile import METHODS, OWNERS, RESTORING, TRANSACTIONAL


def test_the_same_seed_makes_the_same_schedule_and_another_seed_another() -> None:
    first = plan(1, SPANS, seconds=240, kills=32, zombie=60)
    assert first == plan(1, SPANS, seconds=240, kills=32, zombie=60)
    assert first != plan(2, SPANS, seconds=240, kills=32, zombie=60)


def test_every_fault_strikes_within_the_run() -> None:
    for seed in range(1, 30):
        planned = plan(seed, SPANS, seconds=240, kills=32, zombie=60, rounds=2)
        names = [one.fault for one in planned]
        assert names.count("worker-kill") == 32
        assert names.count("zombie") == names.count("topic-recreated") == names.count("partitions-added") == 1
        assert all(names.count(name) == 2 for name in SPANS if name not in ("worker-kill", "zombie", *LATE))
        assert all(0 <= one.at <= 240 for one in planned)
        assert planned == sorted(planned, key=lambda one: one.at)


def test_topics_change_after_the_zombie() -> None:
    for seed in range(1, 30):
        planned = {one.fault: one for one in plan(seed, SPANS, seconds=240, kills=32, zombie=60)}
        zombie = planned["zombie"]
        assert zombie.lasts == 60
        assert all(planned[name].at >= zombie.at + zombie.lasts for name in LATE)


def test_faults_can_be_chosen() -> None:
    assert {one.fault for one in plan(1, ["redis-flush", "zombie"], seconds=20, kills=5, zombie=2)} == {"redis-flush", "zombie"}


def test_every_fault_of_the_schedule_exists() -> None:
    assert SPANS.keys() == FAULTS.keys()
    assert FAULTS.keys() >= set(EMBEDDED)


def test_every_moment_at_which_a_worker_kills_itself_exists() -> None:
    for name in (*METHODS, *TRANSACTIONAL, *RESTORING):
        for owner, attribute in OWNERS.get(name, ((Store, name),)):
            assert callable(getattr(owner, attribute)), name
