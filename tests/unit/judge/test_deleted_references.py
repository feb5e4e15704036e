"""A referenced record that was deleted and came again is known as it came then."""

from __future__ import annotations

from functools import partial
from typing import Any

from stream_app.judge.batch import Batch, Settled
from stream_app.judge.keys import keys_of_id
from stream_app.judge.lookups import KnownIds, LookUps
from stream_app.position import Position
from stream_app.store.memory import MemoryStore
from tests.support.records import AS_OF, GOOD, encoded, judge_of, shop

SHOP = shop("built-in")


class Shop:
    """The look-ups of a worker that runs all the time, and a store."""

    def __init__(self) -> None:
        known: KnownIds = {}
        self.store, self.offset = MemoryStore(), 0
        self.look_ups = {entity: LookUps(SHOP, entity, known) for entity in SHOP.contracts}

    def settle(self, entity: str, change: dict[str, Any] | str) -> Settled:
        """Settle a record, or a tombstone of this id."""
        value = None if isinstance(change, str) else encoded(GOOD["built-in", entity] | change)
        verdicts = judge_of("built-in", entity).judge_all([value], [AS_OF])
        if isinstance(change, str):
            verdicts.put_deleted(0, change)
        self.offset += 1
        source = [b"%b:0:%d" % (entity.encode(), self.offset)]
        batch = Batch(0, f"{entity}//0", Position(), [None], [self.offset], source, [AS_OF], [True], verdicts)
        look_ups = self.look_ups[entity]
        while look_ups.forget_deleted(request := look_ups.plan(batch), found := self.store.look_up(entity, request)):
            pass
        settled = look_ups.settle(batch, request, found)
        keys = partial(keys_of_id, SHOP.contracts[entity])
        self.store.apply(entity, settled.references, settled.releases, settled.deleted, settled.owned, keys)
        return settled


def test_a_segment_is_that_of_the_record_that_came_again() -> None:
    worker = Shop()
    worker.settle("products", {})
    worker.settle("customers", {"country": "France"})
    assert worker.settle("orders", {"order_id": 1}).segments["customer_id.country"] == ["France"]
    worker.settle("customers", "7")
    deleted = worker.settle("orders", {"order_id": 2})
    assert deleted.pending == {0}
    assert deleted.segments["customer_id.country"] == [None]
    worker.settle("customers", {"country": "Spain"})
    assert worker.settle("orders", {"order_id": 3}).segments["customer_id.country"] == ["Spain"]
