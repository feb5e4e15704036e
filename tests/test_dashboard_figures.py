"""The dashboard's words, numbers and figures, without a browser."""

from __future__ import annotations

import pytest

from dashboard import figures, formats, tables
from dashboard.health import health
from dashboard.words import plain
from stream_app.judge.summary import Quality
from stream_app.store.read import ReadModel
from stream_app.store.read_overview import FindingsPoint, RuleCount, SalesPoint
from tests.support.fill import Shop

NOW = 1_790_000_123_000


def row(rule: str, count: int = 1, entity: str = "orders") -> RuleCount:
    return RuleCount(entity, rule, "error", "accuracy", "too small", None, count, None, 0.1, 0.0)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (formats.count(1_234_567), "1,234,567"),
        (formats.count(12_345_678), "12.35 M"),
        (formats.count(None), "–"),
        (formats.money(1_234.5, "GBP"), "£1,234.50"),
        (formats.money(1_705_323.4, "USD"), "$1,705,323"),
        (formats.money(-12.5, "GBP"), "−£12.50"),
        (formats.money(99.5, "CHF"), "99.50 CHF"),
        (formats.percent(0.99999, 2), "99.99 %"),
        (formats.percent(1.0, 2), "100.00 %"),
        (formats.percent(0.00001), "< 0.1 %"),
        (formats.relative(-0.034), "-3.4 %"),
        (formats.relative(-0.0001), "0.0 %"),
        (formats.relative(None), None),
        (formats.points(0.0025), "+0.25 pp"),
        (formats.ago(NOW - 4_000, NOW), "4 s ago"),
        (formats.ago(NOW - 7_200_000, NOW), "2 h ago"),
        (formats.ago(None, NOW), "never"),
        (formats.moment(1_291_191_960_000), "1 Dec 2010, 08:26 UTC"),
        (formats.span(1_787_961_600, 1_788_048_000), "29 Aug 2026"),
        (formats.span(1_787_356_800, 1_788_048_000), "22 to 29 Aug 2026"),
        (formats.span(1_785_456_000, 1_785_628_800), "31 Jul to 1 Aug 2026"),
        (formats.span(1_798_675_200, 1_798_848_000), "31 Dec 2026 to 1 Jan 2027"),
        (formats.span(1_787_990_400, 1_787_994_000), "29 Aug 2026, 08:00 to 09:00 UTC"),
        (formats.span(1_787_990_400, 1_788_080_400), "29 Aug 2026, 08:00 UTC to 30 Aug 2026, 09:00 UTC"),
        (figures.bar_name(300), "5 minutes"),
        (figures.bar_name(7 * 86_400), "week"),
    ],
)
def test_numbers_read_well(shown: str | None, expected: str | None) -> None:
    assert shown == expected


def test_every_axis_has_a_title() -> None:
    revenue, orders = figures.sales([SalesPoint(0, 1.0, 2, True)], 60, "GBP")

    assert revenue.to_dict()["layer"][-1]["encoding"]["y"]["title"] == "Revenue (GBP)"
    assert orders.to_dict()["encoding"]["y"]["title"] == "Orders"
    assert orders.to_dict()["encoding"]["x"]["axis"]["title"] == "Event time (UTC)"


def test_dimensions_come_worst_first() -> None:
    chart = figures.quality_by_dimension(Quality(0.9, {"accuracy": 0.99, "timeliness": 0.8, "coverage": None}))
    (rows,) = chart.to_dict()["datasets"].values()

    assert [one["dimension"] for one in rows] == ["Timeliness", "Accuracy"]


def test_a_rule_keeps_its_colour_while_it_stays_at_the_top() -> None:
    first = figures.named_rules([row(name) for name in "abcdef"])
    later = figures.named_rules([row(name) for name in "fbacde"], first)

    assert first == ["a", "b", "c", "d", "e"]
    assert later == ["a", "b", "c", "d", "f"]


def test_a_rule_of_two_entities_is_told_apart() -> None:
    names = figures.labels([row("record.syntax"), row("record.syntax", entity="customers"), row("quantity.minimum")])

    assert list(names.values()) == ["record.syntax (orders)", "record.syntax (customers)", "quantity.minimum"]


def test_findings_beyond_the_named_rules_are_drawn_together() -> None:
    rules = [row("a", 9), row("b", 2), row("c", 1)]
    points = [FindingsPoint(0, "orders", "a", 9), FindingsPoint(0, "orders", "b", 2), FindingsPoint(0, "orders", "c", 1)]
    chart = figures.findings_over_time(points, rules, [0, 60], 60, ["a"])
    (rows,) = chart.to_dict()["datasets"].values()

    assert {one["rule"]: one["findings"] for one in rows if one["findings"]} == {"a": 9, figures.OTHERS: 3}
    assert chart.to_dict()["encoding"]["color"]["scale"]["domain"] == ["a", figures.OTHERS]
    every = figures.findings_over_time(points, rules, [0, 60], 60, ["a", "b", "c"])
    assert every.to_dict()["encoding"]["color"]["scale"]["domain"] == ["a", "b", "c"]


def test_text_from_elsewhere_is_no_markdown() -> None:
    assert plain("**x** [a](b) $1$ <b>") == r"\*\*x\*\* \[a\]\(b\) \$1\$ \<b\>"


def test_tables_of_nothing_are_empty() -> None:
    assert tables.rules(()).empty
    assert tables.findings(()).empty


class TestHealth:
    @pytest.fixture
    def shop(self, redis_url: str) -> Shop:
        import redis

        with redis.Redis.from_url(redis_url) as client:
            shop = Shop(client, "t", until=NOW // 1000, now_ms=NOW)
            shop.announce()
            shop.fill(20)
            return shop

    def state(self, shop: Shop, after_ms: int = 0) -> tuple[str, str]:
        found = health(ReadModel(shop.client, "t", now=lambda: NOW).pulse(), NOW + after_ms)
        return found.level, found.label

    def test_records_flowing_are_live(self, shop: Shop) -> None:
        shop.beat()
        assert self.state(shop) == ("live", "Live")

    def test_nothing_new_and_nothing_to_read_is_caught_up(self, shop: Shop) -> None:
        shop.beat()
        assert self.state(shop, 60_000) == ("idle", "Caught up")

    def test_a_stream_that_went_silent_is_no_longer_green(self, shop: Shop) -> None:
        shop.beat()
        shop.beat(at=NOW + 20 * 60_000)
        found = health(ReadModel(shop.client, "t", now=lambda: NOW + 20 * 60_000).pulse(), NOW + 20 * 60_000)
        assert (found.level, found.label) == ("quiet", "No new records for 20 min")

    def test_records_to_read_and_none_processed_is_stale(self, shop: Shop) -> None:
        shop.beat({"orders": 12})
        assert self.state(shop, 60_000) == ("trouble", "Stale")

    def test_much_to_read_is_catching_up(self, shop: Shop) -> None:
        shop.beat({"orders": 120_000})
        assert self.state(shop) == ("behind", "Catching up")

    def test_a_retrying_worker_is_said(self, shop: Shop) -> None:
        shop.beat(state="retrying", error="ConnectionError")
        assert self.state(shop)[0] == "trouble"

    def test_no_worker_is_said(self, shop: Shop) -> None:
        assert self.state(shop) == ("stopped", "No worker running")
