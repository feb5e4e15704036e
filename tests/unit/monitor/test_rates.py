"""Shares of one cause are one incident; how severe it is depends on the rule and on what else is open."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stream_app.monitor import State
from stream_app.monitor.tuning import Tuning
from tests.support.windows import ORDERS, Twist, between, shop_windows, watch

BEGIN, END = 82, 88


def opened(twist: Twist, tuning: Tuning | None = None) -> dict[str, str]:
    """Severity by metric of the incidents that open."""
    changes = watch(shop_windows(END, mean=2_000.0, twist=twist), tuning=tuning or Tuning())
    return {change.incident.metric: change.incident.severity for change in changes if change.kind == "opened"}


def reject(**shares: float) -> Twist:
    """From BEGIN on, these shares of the records are rejected, for the rules ``field__check``."""

    def change(counts: dict[str, int]) -> None:
        most = round(counts["in"] * max(shares.values()))
        counts["rev"] = round(counts["rev"] * (counts["in"] - most) / counts["clean"])
        counts["clean"], counts["rejected"] = counts["in"] - most, most
        for name, share in shares.items():
            counts[f"f:{name.replace('__', '.')}"] = round(counts["in"] * share)

    return between(BEGIN, END, change)


def test_a_field_that_vanishes_is_one_incident() -> None:
    assert opened(between(BEGIN, END, lambda counts: counts.update({"n:coupon": counts["in"]}))) == {
        "drift:coupon:vanished": "warning"
    }


@pytest.mark.parametrize(("share", "severity"), [(0.3, "error"), (0.08, "warning")])
def test_a_finding_that_rejects_a_tenth_of_the_records_is_an_error_unless_conformity_says_so(
    share: float, severity: str
) -> None:
    alone = Tuning(sensitivity={"conformity": 0.0})
    assert opened(reject(quantity__minimum=share), alone)["finding:quantity.minimum"] == severity
    both = opened(reject(quantity__minimum=share))
    assert both == {"conformity": severity, "finding:quantity.minimum": "warning"}


def test_of_two_findings_in_the_same_records_the_one_that_rejects_is_the_incident() -> None:
    alone = Tuning(sensitivity={"conformity": 0.0})
    same = reject(price_deviation=0.3, quantity__minimum=0.3)
    assert opened(same, alone) == {"finding:quantity.minimum": "error"}
    apart = reject(price_deviation=0.2, quantity__minimum=0.3)
    assert set(opened(apart, alone)) == {"finding:quantity.minimum", "finding:price_deviation"}


def test_a_contract_with_or_without_revenue_fits_its_own_state() -> None:
    without = replace(ORDERS, revenue=None)
    for contract in (ORDERS, without):
        state = State.new(contract)
        assert state.fits(contract)
        assert State.from_json(state.to_json()) == state
    assert (State.new(without).revenue, State.new(without).average) == (None, None)
    assert not State.new(without).fits(ORDERS)
    assert not State.new(ORDERS).fits(without)
    assert not State.new(ORDERS).fits(replace(ORDERS, segments=()))
