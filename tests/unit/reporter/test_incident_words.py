"""A report says of an incident what happened, when, the money, the likely cause, what to do, and who has it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from reporter import template
from reporter.compute import compute
from reporter.incident_words import REPEATS
from reporter.report import Report, report_of
from reporter.texts import LANGUAGES, texts
from stream_app.counts.fields import Counts
from stream_app.monitor.acts import Act
from stream_app.monitor.incident import Incident
from stream_app.store.period import PeriodCounts
from tests.support.report_facts import END, an_incident, material

UK = ("customer_id.country", "United Kingdom", 0.0, 0.98)
GONE = an_incident(segment=UK, effect=-4_987_600.0)


def written(*incidents: Incident, language: str = "en", revenue: int = 10_000_000, **changes: Any) -> Report:
    say = texts(language)
    counts = {"orders": PeriodCounts(Counts(received=1_000, clean=990, rejected=10, revenue_minor=revenue))}
    facts = compute(material(counts=counts, before=None, incidents=incidents, **changes), say)
    return report_of(template.write(facts, say), facts, say, written_by="template", model=None, prompt="v")


def share(metric: str, observed: float, expected: float | None = None, **changes: Any) -> Incident:
    return an_incident(
        id=f"orders.{metric}.1", metric=metric, unit="share", observed=observed, expected=expected, direction="high", **changes
    )


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "No orders from United Kingdom since 22 Sep 2026, 01:20 UTC; revenue about 50,000 USD below expected."),
        (
            "de",
            "Keine Bestellungen aus United Kingdom seit 22. Sept. 2026, 01:20 UTC; Umsatz etwa 50.000 USD unter dem "
            "erwarteten.",
        ),
        (
            "fr",
            "Pas de commandes venant de United Kingdom depuis le 22 sept. 2026, 01:20 UTC ; chiffre d'affaires inférieur "
            "d'environ 50\u202f000 USD aux prévisions.",
        ),
    ],
)  # fmt: skip
def test_the_headline_says_what_is_missing_where_since_when_and_how_much(language: str, said: str) -> None:
    assert written(GONE, language=language).headline.text == said


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_event_has_money_cause_action_and_owner(language: str) -> None:
    (event,) = written(GONE, language=language).events
    assert event.money is not None
    assert event.money.text.count("50") == 1
    assert "United Kingdom" not in event.money.text
    for part in (event.cause, event.action):
        assert part is not None
        assert "United Kingdom" in part.text
    assert event.owner is not None
    act = Act("1", GONE.id, "orders", "volume", "assigned", "ann", 1_790_052_000_000, to="Bob")
    (owned,) = written(GONE, language=language, acts=(act,)).events
    assert owned.owner is not None
    assert owned.owner.text == "Bob."


def test_a_day_with_an_incident_that_is_over_is_still_named_by_it() -> None:
    over = msgspec.structs.replace(GONE, state="closed", outcome="recovered")
    assert written(over).headline.text == (
        "No orders from United Kingdom between 22 Sep 2026, 01:20 UTC and 04:20 UTC; revenue about 50,000 USD below expected."
    )
    # What somebody has called expected, or a warning that is over, does not make the headline.
    expected = Act("1", GONE.id, "orders", "volume", "expected", "ann", 1_790_052_000_000)
    assert written(over, acts=(expected,)).headline.text.startswith("Good: ")
    assert written(msgspec.structs.replace(over, severity="warning")).headline.text.startswith("Good: ")


@pytest.mark.parametrize(
    ("incident", "said"),
    [
        (an_incident(observed=0.0), "No orders"),
        (an_incident(), "75.0 % fewer orders than expected"),
        (an_incident(direction="high", observed=960.0), "2.0 times as many orders as expected"),
        (an_incident(direction="high", observed=600.0), "25.0 % more orders than expected"),
        (an_incident(segment=("customer_id.country", "France", 0.1, 1.0)), "90.0 % fewer orders from France than expected"),
        (
            share("mix:customer_id.country", 0.6, 0.2, segment=("customer_id.country", "France", 0.6, 0.2)),
            "60.0 % of all orders were orders from France, usually 20.0 %",
        ),
        (an_incident(metric="revenue", unit="money"), "The revenue of orders was 75.0 % below expected"),
        (
            an_incident(metric="average_order", unit="money", observed=4_320.0, direction="high"),
            "The average value of orders was 9.0 times what is expected",
        ),
        (share("conformity", 0.56, 0.98), "44.0 % of orders were rejected, usually 2.0 %"),
        (
            share("conformity", 0.9, 0.98, segment=("customer_id.country", "France", 0.44, 0.02)),
            "44.0 % of orders from France were rejected, elsewhere 2.0 %",
        ),
        (
            share("finding:price.type", 0.12, 0.01),
            "Rule price.type (price is not a number) in 12.0 % of orders, usually 1.0 %",
        ),
        (share("drift:price:vanished", 0.98), "The field price was missing in 98.0 % of orders"),
        (share("drift:channel:appeared", 1.0), "A field that is not in the contract came in 100.0 % of orders"),
        (share("drift:price:text", 0.5), "The field price came as text in 50.0 % of orders"),
        (share("null:price", 0.7, 0.05), "The field price was empty in 70.0 % of orders, usually 5.0 %"),
        (an_incident(metric="lost:3", segment=None), "At most 120 records (orders) were deleted before they were read"),
        (an_incident(metric="brand_new"), "unnamed metric of orders: 120 records observed"),
        (an_incident(metric="finding:no.such", unit="share"), "unnamed metric of orders: "),
    ],
)  # fmt: skip
def test_each_metric_has_its_sentence_and_its_advice(incident: Incident, said: str) -> None:
    report = written(incident)
    assert report.headline.text.startswith(said)
    assert report.events[0].action is not None
    for language in LANGUAGES:
        assert "$" not in written(incident, language=language).headline.text


def test_a_value_that_the_contract_does_not_list_is_not_in_a_headline() -> None:
    hidden = an_incident(segment=("customer_id.country", "Ann Example", 0.0, 1.0))
    assert "Ann" not in written(hidden).headline.text
    assert written(hidden).headline.text.startswith("No orders from country #5669453635")


def test_a_renamed_field_and_repeats_name_their_cause() -> None:
    renamed = written(
        share("drift:price:vanished", 0.98), share("drift:unit_price:appeared", 0.98), share("conformity", 0.02, 0.99)
    )
    (event,) = renamed.events
    assert event.cause is not None
    assert event.cause.text == (
        "The source may have renamed the field: price was missing in 98.0 % of orders, and a field that is not in the contract "
        "came in 98.0 %."
    )
    assert "unit_price" not in str(renamed)

    again = written(share("conformity", 0.6, 0.99), share(f"finding:order_id{REPEATS}", 0.39, 0.001))
    assert "no revenue is missing, because repeats are worth nothing" in again.headline.text
    (event,) = again.events
    assert event.cause is not None
    assert event.cause.text.startswith("The source may have sent records again: rule order_id.unique")
    assert event.money is not None


def test_money_that_is_next_to_nothing_is_not_in_the_headline() -> None:
    small = an_incident(effect=-4_300.0)
    assert "43 USD" in written(small, revenue=100_000).headline.text
    assert "USD" not in written(small, revenue=10_000_000).headline.text


def test_a_cumulative_alarm_says_what_it_adds_up() -> None:
    crept = an_incident(observed=470.0, windows=9, crept=True, sums=(12, 780.0, 1_140.0))
    assert any(
        "780 records observed in 12 windows, 1,140 records expected" in item.text
        for part in written(crept).sections
        if part.key == "anomalies"
        for item in part.items
    )


@pytest.mark.parametrize(("judged", "calm"), [(END, True), (END - 3_600, False), (None, False)])
@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_stands_out_only_in_windows_that_are_judged(judged: int | None, language: str, *, calm: bool) -> None:
    report = written(language=language, judged=judged)
    said = {item.text for part in report.sections for item in part.items}
    assert (texts(language)("template", "anomaly_none") in said) == calm
    if judged is not None and not calm:
        assert sum("UTC" in one for one in said) == 2
