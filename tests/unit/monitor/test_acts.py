"""People acknowledge, assign, mute and settle incidents; false alarms make the monitor less sensitive from then on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.monitor.acts import KINDS, Act, is_muted, life_of, life_of_cause, tuned
from stream_app.monitor.tuning import Tuning

DAY = 86_400


def act(number: int, kind: str = "acknowledged", **changes: Any) -> Act:
    usual: dict[str, Any] = {
        "id": str(number), "incident": "orders.volume.0", "entity": "orders", "metric": "volume", "kind": kind, "by": "Ann",
        "at": number,
    }  # fmt: skip
    if kind == "assigned":
        usual["to"] = "Bob"
    if kind == "muted":
        usual["until"] = 500
    if kind == "note":
        usual["text"] = "seen"
    return Act(**usual | changes)


def test_a_life_is_its_last_state_with_owner_and_mute() -> None:
    life = life_of([act(3, "note"), act(1), act(2, "assigned"), act(4, "muted")])
    assert (life.state, life.by, life.at, life.owner, life.muted, life.settled) == ("acknowledged", "Ann", 1, "Bob", 500, False)
    assert [one.id for one in life.acts] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("kind", ["expected", "false_alarm", "resolved"])
def test_what_is_settled_can_be_opened_again(kind: str) -> None:
    assert life_of([act(1, kind)]).settled
    assert life_of([act(1, kind), act(2, "reopened")]).state == "new"


def test_an_act_on_one_incident_is_about_its_cause() -> None:
    acts = [act(1), act(2, "resolved", incident="orders.mix:country.0"), act(3, "false_alarm", incident="other")]
    assert life_of_cause(["orders.volume.0", "orders.mix:country.0"], acts).state == "resolved"


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("assigned", {"to": " "}), ("muted", {"until": None}), ("note", {"text": ""}), ("acknowledged", {"by": ""}),
        ("acknowledged", {"text": "x" * 1_001}), ("assigned", {"to": "x" * 201}),
    ],
)  # fmt: skip
def test_an_act_that_lacks_something_is_refused(kind: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"name|note|end"):
        act(1, kind, **changes)


def test_a_mute_holds_for_the_metric_until_its_end() -> None:
    acts = [act(1, "muted", until=500)]
    assert is_muted(acts, "orders", "volume", 499)
    assert not is_muted(acts, "orders", "volume", 500)
    assert not is_muted(acts, "orders", "revenue", 499)
    assert not is_muted([*acts, act(2, "muted", until=100)], "orders", "volume", 300)


def test_false_alarms_make_a_metric_less_sensitive_from_the_windows_after_them() -> None:
    alarms = [act(n, "false_alarm", incident=f"orders.volume.{n}", judged=1_000) for n in range(2)]
    base = Tuning()
    assert tuned(base, alarms, "orders", 999) is base
    assert tuned(base, alarms, "customers", 2_000) is base
    assert tuned(base, alarms, "orders", 1_000).factor("volume") == pytest.approx(0.85**2)
    assert tuned(base, alarms, "orders", 1_000).factor("revenue") == 1.0
    assert tuned(base, alarms, "orders", 1_000 + 90 * DAY) is base
    many = [act(n, "false_alarm", incident=f"orders.volume.{n}", judged=1_000) for n in range(20)]
    assert tuned(base, many, "orders", 1_000).factor("volume") == 0.5
    assert tuned(base, [*alarms, act(9, "reopened", incident="orders.volume.0", judged=5_000)], "orders", 1_000).factor(
        "volume"
    ) == pytest.approx(0.85**2)


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 50)), unique_by=lambda one: one[1]), st.randoms())
def test_a_life_does_not_depend_on_the_order_in_which_acts_are_read(rows: list[tuple[str, int]], chance: Any) -> None:
    acts = [act(number, kind) for kind, number in rows]
    mixed = list(acts)
    chance.shuffle(mixed)
    assert life_of(mixed) == life_of(acts)
    assert all(Act.from_json(one.to_json()) == one for one in acts)
