"""The quality view equals a recount of what was written: rules, trends, segments, repairs, and fields that drift."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
import redis

from headrace.embedded import EmbeddedStack
from stream_app.store.queries import Queries
from stream_app.views.kpis import Kpi
from stream_app.views.quality import read_quality
from stream_app.views.ranges import Custom, TimeRange
from stream_app.windows.grain import Grain
from tests.support.fill import Recount, Shop, a_live_shop

NOW = 1_790_000_123_000
DAY = 86_400


@pytest.fixture(scope="module")
def filled() -> Iterator[tuple[Queries, dict[str, Recount]]]:
    with EmbeddedStack(broker=False) as stack, redis.Redis.from_url(stack.redis_url, decode_responses=True) as client:
        shop = a_live_shop(client, "t", NOW, days=20, per_minute=0.4)
        yield Queries(client, "t", now=lambda: NOW), shop.recounts


CUSTOM = Custom(NOW // 1000 // DAY * DAY - 9 * DAY, NOW // 1000 // DAY * DAY - 5 * DAY)


@pytest.mark.parametrize("chosen", [TimeRange.LAST_HOUR, TimeRange.LAST_WEEK, CUSTOM])
def test_a_range_equals_a_recount(filled: tuple[Queries, dict[str, Recount]], chosen: TimeRange | Custom) -> None:
    model, recounts = filled
    view = read_quality(model, chosen)
    assert view.span is not None
    truth = {entity: recount.between(view.span.start, view.span.end) for entity, recount in recounts.items()}

    for entity, counted in truth.items():
        assert view.counts[entity].received == counted["in"]
        found = {row.rule: row.count for row in view.rules if row.entity == entity}
        assert found == {name[2:]: n for name, n in counted.items() if name.startswith("f:") and n}
        repaired = {f"{row.field}.{row.step}": row.count for row in view.repairs if row.entity == entity}
        assert repaired == {name[2:]: n for name, n in counted.items() if name.startswith("r:") and n}
        assert {row.name: row.count for row in view.unknown if row.entity == entity} == {
            name[2:]: n for name, n in counted.items() if name.startswith("u:") and n
        }
    assert {(row.entity, row.rule): row.count for row in view.rules} == {key: sum(part) for key, part in view.trends.items()}
    assert sum(point.clean + point.rejected for point in view.outcomes) == sum(
        counted["clean"] + counted["rejected"] for counted in truth.values()
    )
    segments = {row.value: (row.received, row.rejected) for row in view.segments if row.field == "country"}
    customers = truth["customers"]
    assert segments == {
        name.split("|", 3)[3]: (n, customers[f"s|country|rejected|{name.split('|', 3)[3]}"])
        for name, n in customers.items()
        if name.startswith("s|country|in|")
    }


def test_shares_are_compared_with_the_range_before(filled: tuple[Queries, dict[str, Recount]]) -> None:
    model, recounts = filled
    view = read_quality(model, TimeRange.LAST_WEEK)
    assert view.span is not None
    assert view.span.previous is not None
    before = recounts["customers"].between(view.span.previous, until(view.span.grain) - 7 * DAY)
    judged = before["clean"] + before["rejected"]

    (phone,) = (row for row in view.nulls if row.field == "phone")
    assert phone.before == pytest.approx(before["n:phone"] / judged)


def until(grain: Grain) -> int:
    """The end of the last complete window: what is running is compared with nothing."""
    return grain.start(NOW / 1000)


def three(kpi: Kpi) -> list[float | None]:
    return [kpi.value, kpi.compared, kpi.previous]


@pytest.mark.parametrize("entity", [None, "orders", "customers"])
def test_key_numbers_come_with_those_of_the_range_before(
    filled: tuple[Queries, dict[str, Recount]], entity: str | None
) -> None:
    model, recounts = filled
    view = read_quality(model, TimeRange.LAST_WEEK)
    assert view.span is not None
    assert view.span.previous is not None
    kpis = view.kpis(entity)
    chosen = [recount for name, recount in recounts.items() if entity in (None, name)]
    end = until(view.span.grain)
    parts = (view.span.start, view.span.end), (view.span.start, end), (view.span.previous, end - 7 * DAY)
    counted = [sum((one.between(*part) for one in chosen), Counter()) for part in parts]

    assert three(kpis.received) == [part["in"] for part in counted]
    assert three(kpis.findings) == [sum(number for name, number in part.items() if name.startswith("f:")) for part in counted]
    shares = [part["clean"] / (part["clean"] + part["rejected"]) for part in counted]
    assert three(kpis.conformity) == pytest.approx(shares)
    # Records whose own worth is in doubt count as an average clean order.
    orders = [recounts["orders"].between(*part) for part in parts]
    assert all(part["unvalued"] for part in orders)
    risks = [part["risk"] + round(part["unvalued"] * part["rev"] / part["clean"]) for part in orders]
    assert three(kpis.at_risk) == ([None] * 3 if entity == "customers" else pytest.approx([risk / 100 for risk in risks]))
    assert all(part["v:order_id.unique"] for part in counted if entity != "customers")
    assert kpis.unvalued == counted[0]["unvalued"]
    now, before = view.quality(entity)
    assert before is not None
    assert (kpis.valid.value, kpis.valid.previous) == (now.valid, before.valid)


def test_all_time_has_the_totals_and_segments_of_its_windows(filled: tuple[Queries, dict[str, Recount]]) -> None:
    model, recounts = filled
    view = read_quality(model, TimeRange.ALL)

    assert view.counts["customers"].received == recounts["customers"].total()["in"]
    assert sum(row.received for row in view.segments if row.field == "country") == recounts["customers"].total()["in"]
    assert view.counts_before is None
    assert view.kpis().received.previous is None


def test_a_store_without_records_has_an_empty_view(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        Shop(client, "t", until=NOW // 1000, now_ms=NOW).announce()
        view = read_quality(Queries(client, "t"), TimeRange.LAST_DAY)

    assert view.span is None
    assert view.received == 0
    assert view.rules == ()
