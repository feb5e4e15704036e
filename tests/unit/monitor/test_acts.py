"""People acknowledge, assign, mute and settle incidents; false alarms make the monitor less sensitive from then on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.monitor.acts import KINDS, Act, life_of, life_of_cause, lives_of, muted, tuned
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
    assert [life.metrics for life in muted(acts, "orders", 499)] == [{"volume"}]
    assert not muted(acts, "orders", 500)
    assert not muted(acts, "customers", 499)
    assert not muted([*acts, act(2, "muted", until=100)], "orders", 300)


def test_an_act_on_a_cause_reaches_all_its_incidents() -> None:
    cause = {"others": ("orders.revenue.0", "orders.mix:country.0"), "metrics": ("mix:country", "revenue")}
    [life] = muted([act(1, "muted", until=500, **cause)], "orders", 499)
    assert life.metrics == {"volume", "revenue", "mix:country"}
    assert life.incidents == {"orders.volume.0", "orders.revenue.0", "orders.mix:country.0"}

    alarm = act(1, "false_alarm", judged=1_000, **cause)
    assert {tuned(Tuning(), [alarm], "orders", 1_000).factor(name) for name in life.metrics} == {0.85}
    assert life_of_cause(["orders.revenue.0"], [act(1, "expected", **cause)]).settled, "also where the cause is cut later"
    # Whichever incident names the cause when it is opened again.
    again = act(2, "reopened", incident="orders.revenue.0", metric="revenue", judged=1_000)
    assert tuned(Tuning(), [alarm, again], "orders", 1_000) == Tuning()


@given(st.lists(st.tuples(st.integers(0, 9), st.lists(st.integers(0, 9), max_size=3)), max_size=12))
def test_acts_with_an_incident_in_common_are_one_life(rows: list[tuple[int, list[int]]]) -> None:
    acts = [act(n, incident=str(one), others=tuple(map(str, others))) for n, (one, others) in enumerate(rows)]
    found = lives_of(acts)
    assert sorted(one.id for life in found for one in life.acts) == sorted(one.id for one in acts)
    seen: set[str] = set()
    for life in found:
        assert seen.isdisjoint(life.incidents)
        seen |= life.incidents
        joined = set(life.acts[0].incidents)
        for _ in life.acts:
            joined |= {one for each in life.acts if joined & each.incidents for one in each.incidents}
        assert joined == life.incidents, "nothing else makes it one"


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
