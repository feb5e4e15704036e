"""A worker compares the store with the log: it is adopted, restored, emptied and rebuilt, or refused by name."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from stream_app.kafka.epochs import LogNote
from stream_app.retries import GaveUp
from stream_app.store.ownership import EMPTYING, FORMAT, READY, RESTORING, Owner, StoreState, is_same_store, new_store
from stream_app.worker.health import Health
from stream_app.worker.ownership import Ownership

CONTRACTS = {"customers": "our-customers", "orders": "our-orders"}
OURS = Owner("group", "ours-", "cluster-1", ("customers", "orders"), FORMAT, {"orders order_id.unique": 1_000}, CONTRACTS)
STORE, OTHER = new_store(), new_store()
NOTE = LogNote("prefix", {"orders": ("id-1",)})


def stored(epoch: int = STORE, state: str = READY, server: str = "server-1", **owner: Any) -> StoreState:
    return StoreState(epoch, state, server, 5, msgspec.structs.replace(OURS, **owner), "created", 1)


@dataclass(frozen=True)
class Given:
    """A store and a log that a worker finds. ``first``: nothing was ever committed or delivered."""

    state: StoreState
    logged: int
    note: LogNote
    rebuild: bool = True
    first: bool = False


class Verifying(Ownership):
    """A worker with a store and a log as they are given; ``begun`` has the epochs that it opens."""

    def __init__(self, given: Given) -> None:
        super().__init__(lambda: None)
        self.state, self.logged, self.logged_note, self._first = given.state, given.logged, given.note, given.first
        self.begun: list[tuple[int, str, str]] = []
        store: Any = SimpleNamespace(
            read=self.read, server=self.server, begin=self.begin, claim=self.claim, empty=self.emptied, verified=lambda _: None
        )
        settings = SimpleNamespace(redis_prefix="prefix", group="group", rebuild=given.rebuild)
        services: Any = SimpleNamespace(
            health=Health(),
            settings=settings,
            store=SimpleNamespace(describe=self.emptied),
            retry=lambda _subject, _what, action: action(),
        )
        log: Any = SimpleNamespace(epoch=self.epoch, put_epoch=self.put_epoch)
        levels: Any = SimpleNamespace(begin_epoch=lambda: None)
        self._store, self._services, self._log, self.levels = store, services, log, levels
        self._entities, self._owner = {}, OURS

    async def read(self) -> StoreState:
        return self.state

    async def server(self) -> str:
        return "server-1"

    async def epoch(self) -> tuple[int, LogNote]:
        return self.logged, self.logged_note

    async def put_epoch(self, number: int, note: LogNote) -> None:
        self.logged, self.logged_note = number, note

    async def claim(self, owner: Owner) -> None:
        self.state = self.state._replace(owner=owner)

    async def emptied(self, *_: object) -> None:
        pass

    async def begin(
        self, expected: int, epoch: int, *, state: str, server: str, owner: Owner, reason: str, now_ms: int
    ) -> bool:
        assert expected == self.state.epoch
        self.begun.append((epoch, state, reason))
        self.state = StoreState(epoch, state, server, 0, owner, reason, now_ms)
        return True

    async def _is_first(self) -> bool:
        return self._first


NOTHING = StoreState()
OPENED: dict[str, tuple[Given, str, str, int | None]] = {
    "nothing anywhere": (Given(NOTHING, 0, LogNote(), first=True), READY, "created", None),
    "emptied": (Given(NOTHING, STORE, NOTE), EMPTYING, "empty", None),
    "emptied, and the epoch is not in the log any more": (Given(NOTHING, 0, LogNote()), EMPTYING, "empty", None),
    "of another log": (Given(stored(OTHER), STORE, NOTE), EMPTYING, "foreign", None),
    "older than the log": (Given(stored(), STORE + 4, NOTE), RESTORING, "behind", STORE + 5),
    "on another server": (Given(stored(server="server-0"), STORE, NOTE), RESTORING, "server", STORE + 1),
    "being emptied, on another server": (
        Given(stored(state=EMPTYING, server="server-0"), STORE, NOTE), EMPTYING, "server", STORE + 1,
    ),
    "of an older format": (Given(stored(format=FORMAT - 1), STORE, NOTE), EMPTYING, "layout", None),
    "of another within": (
        Given(stored(within={"orders order_id.unique": 2_000}), STORE, NOTE), EMPTYING, "layout", None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", OPENED)
def test_a_store_that_is_not_as_the_log_knows_it_is_worked_with_in_another_epoch(what: str) -> None:
    given, stage, reason, epoch = OPENED[what]
    worker = Verifying(given)
    asyncio.run(worker.verify(""))
    ((number, *rest),) = worker.begun
    assert rest == [stage, reason]
    assert number == epoch if epoch is not None else not is_same_store(number, STORE)
    assert worker.number == worker.logged == number
    assert worker.ready.is_set() is (stage == READY)


@pytest.mark.parametrize(
    ("noticed", "stage"), [("serial", RESTORING), ("behind", RESTORING), ("incomplete", EMPTYING), ("epoch", None)]
)
def test_what_a_worker_notices_while_it_runs_opens_another_epoch(noticed: str, stage: str | None) -> None:
    worker = Verifying(Given(stored(), STORE, NOTE))

    async def run() -> None:
        await worker.verify("")
        assert worker.begun == []
        await worker.verify(noticed)

    asyncio.run(run())
    assert [(state, reason) for _, state, reason in worker.begun] == ([] if stage is None else [(stage, noticed)])


@pytest.mark.parametrize("contracts", [{}, {"orders": "our-orders"}, {**CONTRACTS, "products": "our-products"}])
def test_a_shop_that_gets_or_loses_an_entity_stays_the_same(contracts: dict[str, str]) -> None:
    worker = Verifying(Given(stored(contracts=contracts), STORE, NOTE))
    asyncio.run(worker.verify(""))
    assert (worker.begun, worker.state.owner) == ([], OURS)


def test_a_store_that_the_log_has_forgotten_is_adopted_and_noted_again() -> None:
    worker = Verifying(Given(stored(), 0, LogNote()))
    asyncio.run(worker.verify(""))
    assert (worker.begun, worker.logged, worker.logged_note.store, worker.ready.is_set()) == ([], STORE, "prefix", True)


REFUSED: dict[str, tuple[Given, str]] = {
    "another group": (
        Given(stored(group="theirs"), STORE, NOTE),
        "belongs to another shop (group theirs, topics ours-: customers, orders); give this shop a prefix of its own",
    ),
    "other topics": (Given(stored(topics=""), STORE, NOTE), "another shop (group group, topics without a prefix: "),
    "contracts of another shop": (
        Given(stored(contracts={"orders": "their-orders", "products": "their-products"}), STORE, NOTE),
        "belongs to another shop (contracts their-orders, their-products); give this shop a HEADRACE_REDIS_PREFIX, ",
    ),
    "other entities": (Given(stored(contracts={"products": "their-products"}), STORE, NOTE), "(contracts their-products)"),
    "another cluster": (
        Given(stored(cluster="cluster-0"), STORE, NOTE),
        "was made of the Kafka cluster cluster-0, and this is cluster-1; give this shop a prefix of its own",
    ),
    "another prefix of the group": (Given(NOTHING, STORE, LogNote("other")), "counts under the Redis prefix other, not"),
    "no rebuild": (Given(NOTHING, STORE, NOTE, rebuild=False), "is empty, and the topics are not: it is rebuilt"),
    "no rebuild of another log": (Given(stored(OTHER), STORE, NOTE, rebuild=False), "is not the one that this log knows"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_store_of_somebody_else_is_refused_by_name(what: str) -> None:
    given, says = REFUSED[what]
    worker = Verifying(given)
    with pytest.raises(GaveUp) as raised:
        asyncio.run(worker.verify(""))
    assert says in str(raised.value)
    assert ("HEADRACE_REBUILD=off" in str(raised.value)) is what.startswith("no rebuild")
    assert (worker.begun, worker.state, worker.number) == ([], given.state, 0)
