"""Counter fields are parsed whatever letters a value has."""

from __future__ import annotations

from stream_app.counts.fields import SegmentCounts, add, parse


def test_a_segments_value_may_have_any_letter_in_it() -> None:
    raw = {"in": "2", "s|country|in|a|b|": "2", "s|country|f:name.required|a|b|": "1", "u:x|y": "1", "n:email": "3", "et": "9"}
    read = add([parse(raw), parse(raw)])

    assert read.segments == {"country": {"a|b|": SegmentCounts(received=4, findings={"name.required": 2})}}
    assert (read.unknown, read.nulls) == ({"x|y": 2}, {"email": 6})
    assert parse(raw, segments=False).segments == {}
