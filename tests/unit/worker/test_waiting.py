"""Partitions may be taken away while records are being settled."""

from __future__ import annotations

from types import SimpleNamespace

from stream_app.worker.waiting import WaitingRoom


def test_partitions_may_be_taken_away_while_records_are_being_settled() -> None:
    room = WaitingRoom(None)  # type: ignore[arg-type]
    held = [SimpleNamespace(batch=SimpleNamespace(event=SimpleNamespace(message=SimpleNamespace(partition=n)))) for n in (0, 1)]
    settled = SimpleNamespace(batch=None)
    room.held = [held[0], settled, held[1]]  # type: ignore[list-item]
    room.dismiss({0})
    assert room.held == [held[1]]
