"""Committed offsets that are not what is applied: after a kill or a loss of the store they are nobody's wish."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from stream_app.kafka.batches.alarms import FetchAlarms
from stream_app.names import Topics
from stream_app.settings import Settings
from stream_app.worker.health import Health
from stream_app.worker.offsets import OffsetWatch

RAW, PENDING, APPLIED = TP("orders", 0), TP("orders.pending", 0), 677


def sought(
    committed: int, by: str, *, tp: TP = RAW, applied: int | None = APPLIED, tells_apart: bool = True
) -> tuple[dict[TP, int], str]:
    """Return where to read on elsewhere, and what the heartbeat says, with the next record to apply at offset 677."""

    class Consumer:
        @property
        def client(self) -> Consumer:
            return self

        def assignment(self) -> set[TP]:
            return {tp}

        async def bounds(self, *_: Any) -> dict[TP, tuple[int, int]]:
            return {tp: (3, 1_000)}

        async def committed_offsets(self, _: Any) -> dict[TP, tuple[int, str]]:
            return {tp: (committed, by)}

    class Losses:
        async def expected(self, fields: list[str]) -> dict[str, int | None]:
            return dict.fromkeys(fields, applied)

        async def begin(self, losses: dict[str, Any]) -> None:
            assert (losses == {}) is (applied is not None)

    health = Health()
    services = SimpleNamespace(health=health, store=SimpleNamespace(losses=Losses()))
    entity: Any = SimpleNamespace(name="orders", topics=Topics("orders"), topic_id="id", services=services)
    watch = OffsetWatch(Settings(), FetchAlarms(), Consumer)
    owner: Any = SimpleNamespace(tells_offsets_apart=tells_apart)
    watch.begin({"orders": entity}, {}, owner, lambda _: "")
    return asyncio.run(watch.sought()), health.notes().get("orders topics", "")


@pytest.mark.parametrize("committed", [35, 800])
def test_an_offset_that_a_worker_has_committed_is_no_reset(committed: int) -> None:
    assert sought(committed, "worker") == ({}, "")


def test_where_the_broker_keeps_no_notes_nobody_is_suspected() -> None:
    assert sought(35, "somebody", tells_apart=False) == ({}, "")


def test_an_offset_that_somebody_else_has_set_is_said_and_skips_nothing() -> None:
    elsewhere, says = sought(35, "somebody")
    assert (elsewhere, "642 records are read again and skipped" in says) == ({}, True)
    elsewhere, says = sought(800, "somebody")
    assert (elsewhere, "from 677 on are not judged yet" in says) == ({RAW: APPLIED}, True)


@pytest.mark.parametrize(("tp", "applied", "start"), [(RAW, 30, 30), (RAW, None, 3), (PENDING, 30, 3), (PENDING, None, 3)])
def test_an_offset_of_an_earlier_topic_of_the_name_is_not_read_on_from(tp: TP, applied: int | None, start: int) -> None:
    """The new topic would be read from there only once it is as long as the old one, and till then not at all."""
    assert sought(5_969, "former", tp=tp, applied=applied) == ({tp: start}, "")


def test_a_log_that_ends_before_what_was_read_is_asked_for_twice_and_forgotten_if_it_is_another_one() -> None:
    class Consumer:
        @property
        def client(self) -> Consumer:
            return self

        async def bounds(self, *_: Any) -> dict[TP, tuple[int, int]]:
            return {RAW: (0, 30)}

    health, alarms = Health(), FetchAlarms()
    entity: Any = SimpleNamespace(name="orders", topics=Topics("orders"), services=SimpleNamespace(health=health))
    watch = OffsetWatch(Settings(), alarms, Consumer)
    watch.begin({"orders": entity}, {}, SimpleNamespace(), lambda _: "")  # type: ignore[arg-type]
    request = SimpleNamespace(topics=[("orders", [(0, 50)])])
    alarms.look_at(request, SimpleNamespace(topics=[("orders", [(0, 1, -1)])]))

    async def run() -> None:
        assert await watch.explain(["orders"]) == {"orders"}
        assert health.notes() == {}
        assert await watch.explain(["orders"]) == set()
        assert "ends at offset 30, and was read up to 49" in health.notes()["orders topics"]
        assert await watch.explain(["orders"]) == set()
        watch.renewed(entity)
        assert health.notes() == {}

    asyncio.run(run())
