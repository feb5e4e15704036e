"""Every script of a worker refuses a store that is not as the worker has verified it, and changes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from stream_app.position import Position
from stream_app.store.ownership import READY, RESTORING, Owner
from stream_app.store.writer import Store, StoreChanged
from tests.support.stores import FIELD, KEYS, changes, everything
from tests.support.stream import order

CALLS: dict[str, Callable[[Store], Awaitable[Any]]] = {
    "look up": lambda store: store.look_up("orders", (FIELD, Position()), [], []),
    "note": lambda store: store.note((FIELD, Position()), -1, 0, b""),
    "apply": lambda store: store.apply(changes([(order(1), "clean")], applied=(FIELD, Position(), Position(0)))),
    "decide": lambda store: store.decide("orders", [("0:0", FIELD, 0, [])], 0),
    "note late findings": lambda store: store.note_late_findings("orders", [("0:0", [])]),
}
#: What has happened to the store → what the script says.
CHANGES: dict[str, tuple[dict[str, Any] | None, str]] = {
    "emptied": (None, "epoch"),
    "another epoch": ({"epoch": 8}, "epoch"),
    "an old snapshot": ({"serial": 4}, "serial"),
    "being restored": ({"state": RESTORING}, "restoring"),
}


async def verified(store: Store) -> None:
    """Open an epoch, as the first worker of a shop does, and see five batches applied."""
    ownership = store.ownership
    await ownership.begin(0, 7, state=READY, server="x", owner=Owner(), reason="created", now_ms=1)
    ownership.verified(await ownership.read())
    ownership.serial = 5


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("call", CALLS)
def test_a_script_refuses_a_store_that_was(call: str, what: str, client: Any, run: Any) -> None:
    fields, reason = CHANGES[what]

    async def body(store: Store) -> None:
        await verified(store)
        client.hset(KEYS.store(), "serial", 5)
        await CALLS[call](store)
        store.ownership.serial = 5
        client.flushdb() if fields is None else client.hset(KEYS.store(), mapping=fields)
        before = everything(client)
        with pytest.raises(StoreChanged, match=f"^{reason}$"):
            await CALLS[call](store)
        assert everything(client) == before

    run(body)


def test_only_what_restores_may_change_a_store_that_is_being_restored(client: Any, run: Any) -> None:
    async def body(store: Store) -> None:
        await verified(store)
        client.hset(KEYS.store(), mapping={"serial": 5, "state": RESTORING})
        more = changes([(order(1), "clean")], applied=(FIELD, Position(), Position(0)))
        await store.apply(more, restores=True)
        assert (client.hget(KEYS.store(), "serial"), store.ownership.serial) == ("6", 6)

    run(body)
