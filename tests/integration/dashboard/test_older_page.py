"""The search below findings says how far it came, goes on, and says why it cannot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from dashboard import data
from stream_app.contract.summary import ContractSummary
from stream_app.counts.samples import RecentFinding
from stream_app.errors import StoreError
from stream_app.kafka.older import Outcome, Portion
from stream_app.store.queries import Queries
from stream_app.views.older import Older, Wanted
from tests.support.pages import frames, open_page, words

LAST_YEAR = "2020-01-01T00:00_2020-01-02T00:00"
AT = 1_577_880_000_000
BUTTON = "finding-older-button"
LEFT = Portion("orders.dlq", 0, 500, 900, 2)


def one(number: int) -> RecentFinding:
    return RecentFinding(
        entity="orders", rule="quantity.minimum", severity="error", source=f"orders:0:{number}", event_time=AT + number
    )


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[Older | str]:
    """Answers of Kafka, taken one after the other; each search must go on with the result before."""
    given: list[Older | str] = []
    last: list[Older | None] = [None]

    def older(
        wanted: Wanted,
        contract: ContractSummary,
        seconds: float,
        progress: Callable[[int, int, int], object],
        before: Older | None = None,
    ) -> Older | str:
        assert (wanted.entity, wanted.rules) == ("orders", frozenset({"quantity.minimum"}))
        assert 0 < seconds <= 10
        assert before is last[0]
        progress(1, 2, 0)
        answer = given.pop(0)
        if isinstance(answer, Older):
            last[0] = answer
        return answer

    monkeypatch.setattr(data, "older", older)
    return given


def test_a_search_that_stopped_early_says_so_and_goes_on(shop: Queries, answers: list[Older | str]) -> None:
    page = open_page("anomalies", range=LAST_YEAR, entity="orders", rule="quantity.minimum")
    assert "None of the newest findings matches" in words(page)

    answers.append(Older((one(2),), 500, Outcome(500, 1, (LEFT,), "seconds"), ("orders.dlq",)))
    page.button(key=BUTTON).click().run()
    assert list(frames(page)[-1]["Source"]) == ["orders:0:2"]
    assert "1 finding in 500 records of `orders.dlq`; stopped after 10 s. All that Kafka dates in this range" in words(page)

    page.run()
    assert page.button(key=BUTTON).label == "Search on"
    answers.append("no Kafka broker answers at 127.0.0.1:1; start it")
    page.button(key=BUTTON).click().run()
    assert "No Kafka broker answers at 127.0.0.1:1" in words(page)
    assert list(frames(page)[-1]["Source"]) == ["orders:0:2"]

    outside = RecentFinding(entity="orders", source="orders:0:7", rule="quantity.minimum", event_time=1)
    problem = ("a batch of records cannot be read",)
    answers.append(Older((one(3), one(2), outside), 900, Outcome(400, 2), ("orders.dlq",), problem))
    page.button(key=BUTTON).click().run()
    assert list(frames(page)[-1]["Source"]) == ["orders:0:3", "orders:0:2"]
    assert "3 findings in 900 records of `orders.dlq`; all were read" in words(page)
    assert "A batch of records cannot be read" in words(page)
    assert "No Kafka broker answers" not in words(page)


def test_another_filter_forgets_what_was_found(shop: Queries, answers: list[Older | str]) -> None:
    page = open_page("anomalies", range=LAST_YEAR, entity="orders", rule="quantity.minimum")
    answers.append(Older((one(2),), 500, Outcome(500, 1), ("orders.dlq",)))
    page.button(key=BUTTON).click().run()
    page.multiselect(key="finding-severity").set_value(["error"]).run()

    assert "None of the newest findings matches" in words(page)
    assert page.button(key=BUTTON).label == "Search the dead-letter topic"


def test_a_dashboard_with_other_contracts_than_the_workers_says_so(
    shop: Queries, monkeypatch: pytest.MonkeyPatch, shop_dir: Path
) -> None:
    (shop_dir / "orders.odcs.yaml").write_text(
        (shop_dir / "orders.odcs.yaml").read_text().replace("id: headrace-shop-orders", "id: another", 1)
    )
    monkeypatch.setenv("HEADRACE_SHOP", str(shop_dir))
    found = data.older(Wanted("orders"), shop.contracts()["orders"], 1.0, lambda *_: None)

    assert isinstance(found, str)
    assert "HEADRACE_SHOP" in found


def test_the_store_tells_what_it_keeps_of_referenced_records(shop: Queries) -> None:
    assert shop.references("customers", []) == {}
    known = shop.references("customers", ["1", "no such customer"])
    assert set(known) <= {"1"}
    with pytest.raises(StoreError):
        Queries(redis.Redis(port=1), "headrace").references("customers", ["1"])
