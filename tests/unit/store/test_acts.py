"""Acts in Redis: what is kept of a topic that has more of them."""

from __future__ import annotations

from typing import Any, cast

import pytest

from stream_app.store import acts
from stream_app.store.keys import Keys
from tests.support.staged import country_gone


class Client:
    """Keeps the fields of the last HSET."""

    def __init__(self) -> None:
        self.kept: list[str] = []

    def hset(self, _name: str, mapping: dict[str, str]) -> None:
        self.kept = list(mapping)


def test_of_a_topic_with_more_acts_than_redis_keeps_the_newest_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acts, "ACTS_KEPT", 3)
    found = [acts.new_act(country_gone(0)[0], "note", "Ann", text=str(number)) for number in range(5)]
    client = Client()
    acts.put(cast("Any", client), Keys("t"), reversed(found))
    newest = sorted(found, key=lambda one: (one.at, one.id))[2:]
    assert client.kept == [acts.field_of(one) for one in newest]
