"""Samples of clean records hide personal fields."""

from __future__ import annotations

from stream_app.counts.samples import clean_records


def test_personal_fields_are_masked_even_where_the_writer_forgot() -> None:
    rows = ['{"source":"customers:0:1","event_time":1,"record":{"email":"ann@example.org","country":"France"}}']

    assert clean_records(rows, frozenset({"email"}))[0].record == {"email": "•••", "country": "France"}
