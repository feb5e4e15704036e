"""The anomalies topic says the newest version of each incident, and up to when changes were announced."""

from __future__ import annotations

from types import SimpleNamespace

from stream_app.windows.grain import Grain
from stream_app.worker.announced import Announced
from tests.support.incidents import Message, incident


def taken(*records: object) -> Announced:
    found = Announced()
    found.take(records)
    return found


def test_the_newest_version_of_each_incident_counts() -> None:
    closed = incident(1, "closed", updated=30)
    found = taken(*(Message(one) for one in (incident(1, updated=10), incident(2), closed, incident(1, updated=10))))
    assert list(found.newest.values()) == [closed, incident(2)]


def test_what_is_not_an_incident_is_left_out() -> None:
    assert taken(SimpleNamespace(value=None), SimpleNamespace(value=b"{}"), Message(incident(1))).newest.keys() == {
        incident(1).id
    }


def test_an_entity_was_announced_up_to_its_newest_change() -> None:
    found = taken(*(Message(one) for one in (incident(1, updated=10), incident(2, updated=70), incident(3, updated=20))))
    assert found.until({"orders": 90, "customers": 90}, Grain.HOUR, 1_000) == {"orders": 70, "customers": 0}


def test_changes_that_say_nothing_of_the_windows_do_not_count() -> None:
    strange = (
        incident(1, updated=9_999), incident(2, grain=Grain.DAY, updated=80), incident(3, entity="gone", updated=80),
        incident(4, "closed", outcome="lost", updated=80),
    )  # fmt: skip
    assert taken(*map(Message, strange)).until({"orders": 90}, Grain.HOUR, 1_000) == {"orders": 0}


def test_what_retention_has_taken_was_announced() -> None:
    found = taken(Message(incident(1, updated=95)))
    found.complete = False
    assert found.until({"orders": 90, "customers": 90}, Grain.HOUR, 1_000) == {"orders": 95, "customers": 90}
