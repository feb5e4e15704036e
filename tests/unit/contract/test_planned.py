"""A calendar file names planned events; a wrong one is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_app.contract.planned import Planned, during, read_planned
from stream_app.errors import DocumentError

DAY = 86_400
SALE = """\
events:
- name: Summer sale
  kind: sale
  from: 2026-01-05
  to: 2026-01-06
- name: Stocktaking
  kind: closed
  from: 2026-01-10T08:00
  to: 2026-01-10T12:00+01:00
  entities: [orders]
"""
MONDAY = 1_767_571_200


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "calendar.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_days_are_whole_and_moments_are_to_the_second(tmp_path: Path) -> None:
    assert read_planned(written(tmp_path, SALE)) == (
        Planned("Summer sale", "sale", MONDAY, MONDAY + 2 * DAY),
        Planned("Stocktaking", "closed", MONDAY + 5 * DAY + 8 * 3_600, MONDAY + 5 * DAY + 11 * 3_600, ("orders",)),
    )


def test_no_file_has_no_events() -> None:
    assert read_planned(None) == ()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("kind: sale", "kind: party", ":3: unknown kind"),
        ("2026-01-06", "2026-01-04", ":5: the event ends before"),
        ("from: 2026-01-05", "from: Monday", ":4: not a day"),
        ("[orders]", "orders", ":10: `entities` is a list"),
        ("  to: 2026-01-06\n", "", "an event has"),
        ("events:", "feasts:", "one key, `events`"),
        ("name: Summer sale", "title: Summer sale", "an event has"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(DocumentError, match=words):
        read_planned(written(tmp_path, SALE.replace(old, new, 1)))


def test_events_cover_their_entities_and_times(tmp_path: Path) -> None:
    sale, closed = planned = read_planned(written(tmp_path, SALE))
    assert during(planned, "customers", MONDAY, MONDAY + 3_600) == (sale,)
    assert during(planned, "orders", closed.start - 3_600, closed.start) == ()
    assert during(planned, "orders", closed.end - 1, closed.end + 3_600) == (closed,)
    assert during(planned, "customers", closed.start, closed.end) == ()


@pytest.mark.parametrize(
    ("kind", "metric", "direction", "excused"),
    [
        ("sale", "volume", "high", True), ("sale", "volume", "low", False), ("closed", "revenue", "low", True),
        ("closed", "volume", "high", False), ("sale", "mix:country", "changed", True), ("sale", "conformity", "low", False),
        ("closed", "threshold:few", "low", True), ("sale", "threshold:few", "low", False),
        ("sale", "drift:a:text", "changed", False),
    ],
)  # fmt: skip
def test_an_event_excuses_what_it_brings(kind: str, metric: str, direction: str, excused: bool) -> None:
    assert Planned("x", kind, 0, 1).excuses(metric, direction) is excused
