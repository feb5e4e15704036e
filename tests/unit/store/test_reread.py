"""A hash is parsed again as soon as any of its fields has changed."""

from __future__ import annotations

import pytest

from stream_app.counts.fields import parse
from stream_app.errors import StoreError
from stream_app.store.reread import Reread

RAW = {"in": "5", "clean": "5", "s|country|in|Spain": "5"}


def test_the_same_hash_is_the_same_object_and_a_changed_one_is_parsed() -> None:
    reread = Reread()
    first = reread.parsed("win:1", dict(RAW), segments=False)

    assert reread.parsed("win:1", dict(RAW), segments=False) is first
    for changed in ({**RAW, "in": "6"}, {**RAW, "late": "1"}, {"in": "5"}, {}, {**RAW, "s|country|in|Spain": "4"}):
        assert reread.parsed("win:1", changed, segments=True) == parse(changed)
        assert reread.parsed("win:1", changed, segments=False) == parse(changed, segments=False)
    assert reread.parsed("win:1", RAW, segments=False) == first


def test_windows_do_not_answer_for_each_other() -> None:
    reread = Reread()

    assert reread.parsed("win:1", RAW, segments=True) == parse(RAW)
    assert reread.parsed("win:2", {"in": "7"}, segments=True) == parse({"in": "7"})
    assert reread.parsed("win:1", RAW, segments=False) == parse(RAW, segments=False)


def test_fields_are_compared_one_by_one() -> None:
    reread = Reread()
    one, other = {"u:x\x005\x00u:y": "7"}, {"u:x": "5", "u:y": "7"}

    assert reread.parsed("win:1", one, segments=True) == parse(one)
    assert reread.parsed("win:1", other, segments=True) == parse(other)


def test_only_so_many_fields_are_kept_and_the_ones_read_last_stay() -> None:
    reread = Reread(most=30)
    for number in range(40):
        reread.parsed(f"win:{number}", RAW, segments=True)
        assert reread.fields <= 30
    last = reread.parsed("win:39", RAW, segments=True)

    assert reread.parsed("win:39", RAW, segments=True) is last
    large = {f"u:{number}": "1" for number in range(31)}
    assert reread.parsed("win:40", large, segments=True) == parse(large)
    assert reread.fields == 0


def test_an_integer_that_is_none_fails_each_time() -> None:
    reread = Reread()
    reread.parsed("win:1", RAW, segments=True)
    for _ in range(2):
        with pytest.raises(StoreError, match=r"win:1.*field in"):
            reread.parsed("win:1", {"in": "many"}, segments=True)
    assert reread.parsed("win:1", RAW, segments=True) == parse(RAW)


def test_half_a_surrogate_pair_in_the_name_of_a_field_is_parsed_each_time() -> None:
    reread, raw = Reread(), {**RAW, "u:\udcff": "1"}
    for count in ("1", "2"):
        assert reread.parsed("win:1", {**raw, "u:\udcff": count}, segments=True) == parse({**raw, "u:\udcff": count})
