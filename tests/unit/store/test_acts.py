"""Acts in Redis: what is kept of a topic that has more of them."""

from __future__ import annotations

from typing import Any, cast

import pytest
import redis

from stream_app.errors import StoreError
from stream_app.settings import load_settings
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


class Unreachable(Client):
    """Answers questions until it is written to."""

    def __init__(self, hlen: bool) -> None:
        super().__init__()
        self._hlen = hlen

    def hlen(self, _name: str) -> int:
        if not self._hlen:
            raise redis.ConnectionError
        return 0

    def hset(self, _name: str, mapping: dict[str, str]) -> None:
        raise redis.ConnectionError

    def close(self) -> None:
        pass


@pytest.mark.parametrize("hlen", [True, False])
def test_an_act_that_the_topic_has_and_redis_has_not_is_said_to_be_written(monkeypatch: pytest.MonkeyPatch, hlen: bool) -> None:
    sent: list[str] = []
    monkeypatch.setattr(acts, "connect_writer", lambda _: Unreachable(hlen))
    act = acts.new_act(country_gone(0)[0], "note", "Ann", text="x")
    with pytest.raises(StoreError) as refused:
        acts.write(load_settings(), act, lambda key, _: sent.append(key))
    assert sent == ([act.id] if hlen else [])
    assert ("do not repeat it" in str(refused.value)) == hlen
