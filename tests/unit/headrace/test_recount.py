"""The recount of records by simple means agrees with the tally on records of both shops, whatever they contain."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.recount.compare import Comparison
from headrace.recount.counting import Counted, Recount
from stream_app.contract import load_shop
from stream_app.counts.fields import parse, totals
from stream_app.counts.tally import Tally
from stream_app.judge.judge import Judge
from tests.support.paths import RETAIL
from tests.support.records import GOOD, encoded

AS_OF = 1_714_564_800_000
SHOPS = {"built-in": load_shop(None), "online-retail": load_shop(RETAIL)}
#: Values that break a rule, repair a field, or are as they should be.
ODD: dict[str, list[Any]] = {
    "quantity": [3, -2, 0, " 3 ", None, "three", 12_000], "price": [9.99, 0.0, -1.0, "2.50", None, 250_000.0],
    "customer_id": [7, None, 0, "x"], "line_type": ["sale", "cancellation", "adjustment", "gift"], "country": ["France", None],
    "description": ["LANTERN", None, "  padded  "], "source": ["search", "pigeon", None],
    "order_date": ["2024-05-01T10:00:00Z", "?"],
}  # fmt: skip


def records_of(shop: str, entity: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    good = GOOD[shop, entity]
    some = {name: st.sampled_from(ODD[name]) for name in good if name in ODD}
    one = st.builds(lambda changes, extra: good | changes | extra, st.fixed_dictionaries({}, optional=some),
                    st.sampled_from([{}, {"coupon": "A"}]))  # fmt: skip
    return st.lists(one, min_size=1, max_size=12)


@pytest.mark.parametrize(("shop", "entity"), [("built-in", "orders"), ("built-in", "visits"), ("online-retail", "orders")])
@settings(deadline=None)  # a judge compiles what it needs at the first record
@given(data=st.data())
def test_it_agrees_with_the_tally(shop: str, entity: str, data: st.DataObject) -> None:
    contract = SHOPS[shop].contracts[entity]
    judge, tally, recount = Judge(contract), Tally(contract), Recount(contract)
    raws = [encoded(row) for row in data.draw(records_of(shop, entity))]
    tally.add_all(judge.judge_all([*raws], [AS_OF] * len(raws)), [], lambda index: f"{entity}:0:{index}")
    for raw in raws:
        verdict = judge.judge(raw, AS_OF)
        rules = [rule.id for rule in verdict.findings]
        recount.add(
            Counted(verdict.event_ms, clean=verdict.body is not None, rules=rules, values=verdict.values,
                    repairs=verdict.repairs, unknown=verdict.unknown),
            {},
        )  # fmt: skip
    shown = parse(totals(tally.minutes.values()))
    recount.close()
    true = recount.everything()
    found = Comparison()
    for name in ("received", "clean", "rejected", "repaired", "warned", "unvalued", "cancelled", "doubted"):
        found.same("", name, getattr(shown, name), true[name])
    found.same("", "revenue", shown.revenue_minor, true["revenue"])
    found.same("", "risk", shown.risk_minor, true["risk"])
    found.same("", "revenue in doubt", shown.doubted_minor, true["doubted_revenue"])
    for name, counted in (
        ("finding", shown.findings), ("dimension", shown.dimensions), ("repair", shown.repairs), ("null", shown.nulls),
        ("unknown", shown.unknown), ("at_risk", shown.at_risk_minor),
    ):  # fmt: skip
        found.each("", name, counted, true.named(name))
    assert [str(one) for one in found.differences] == []


def test_bounds_are_kept_and_not_more() -> None:
    found = Comparison()
    found.within("a page", "records", 12, 10, 2)
    found.within("a page", "records", 9, 10, 2)
    found.within("a page", "records", 13, 10, 2)
    found.within("a page", "revenue", -5, 0, -9)
    assert [one.shown for one in found.differences] == [9, 13]
    assert "bounded" in found.table()
