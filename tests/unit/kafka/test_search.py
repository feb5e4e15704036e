"""A source names a topic, a partition and an offset."""

from __future__ import annotations

from stream_app.kafka.search import split


def test_a_source_may_have_colons_in_its_topic() -> None:
    assert split("a:b:3:44") == ("a:b", 3, 44)
