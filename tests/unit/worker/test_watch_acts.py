"""The monitor's rounds read acts only where there are others than before, and mutes reach incidents that join a cause later."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from stream_app.contract import load_shop
from stream_app.monitor.acts import Act
from stream_app.monitor.incident import Change
from stream_app.settings import load_settings
from stream_app.store.acts import ACTS_AGE, kept, new_act
from stream_app.worker import watch as module
from stream_app.worker.watch import Watch
from tests.support.staged import country_gone


class Books:
    """The part of the store that has acts and incidents; ``read`` counts how often all acts are read."""

    epoch = 0

    def __init__(self) -> None:
        self.rows: list[Act] = []
        self.read = 0
        self.open: list[Any] = []

    def number_of_acts(self) -> int:
        return len(self.rows)

    def acts(self, now_ms: int) -> tuple[tuple[Act, ...], int]:
        self.read += 1
        before, self.rows = len(self.rows), list(kept(self.rows, now_ms))
        return tuple(self.rows), before - len(self.rows)

    def open_incidents(self, *_: Any) -> list[Any]:
        return self.open

    def progress(self, *_: Any) -> Any:
        raise TimeoutError


def watching(monkeypatch: pytest.MonkeyPatch, books: Books, clock: list[int]) -> Watch:
    monkeypatch.setattr(module, "open_incident_store", lambda _: books)
    return Watch(load_shop(None), load_settings(notify="json://localhost"), "w", clock=lambda: clock[0])


def test_a_round_reads_acts_only_if_there_are_others_than_before(monkeypatch: pytest.MonkeyPatch) -> None:
    books = Books()
    first = new_act(country_gone(0)[0], "note", "Ann", text="x")
    books.rows, clock = [first], [first.at]
    watch = watching(monkeypatch, books, clock)

    def rounds(number: int) -> int:
        for _ in range(number):
            with pytest.raises(TimeoutError):
                watch.round()
            clock[0] += 1_000
        return books.read

    assert rounds(50) == 1
    books.rows.append(new_act(country_gone(0)[0], "note", "Bob", text="y"))
    assert rounds(50) == 2
    clock[0] += ACTS_AGE
    assert rounds(50) == 3, "and now and then, for what expires"
    assert not books.rows
    assert rounds(50) == 3


def test_a_mute_reaches_incidents_that_join_the_cause_later(monkeypatch: pytest.MonkeyPatch) -> None:
    volume, mix = country_gone(0)
    books, clock = Books(), [0]
    act = new_act(volume, "muted", "Ann", until=500)
    books.rows = [act]
    clock[0] = act.at
    books.rows = [replace(act, until=act.at // 1_000 + 60)]
    watch = watching(monkeypatch, books, clock)
    with pytest.raises(TimeoutError):
        watch.round()
    assert not watch.is_for_people(Change("opened", volume)), "its metric is muted"
    assert watch.is_for_people(Change("opened", replace(mix, severity="error"))), "the muted cause is over"
    books.open = [volume]
    assert not watch.is_for_people(Change("opened", replace(mix, severity="error")))
    clock[0] += 60_000
    assert watch.is_for_people(Change("opened", volume))
