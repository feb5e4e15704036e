"""On the staged days of the simulator, headline, status line and first paragraph name the cause and the money of that day.

Simulated, judged, counted and monitored in memory; the money is compared with the same day without the incident.
"""

from __future__ import annotations

import re

import pytest

from reporter import template
from reporter.compute import compute
from reporter.facts import Facts
from reporter.render import markdown
from reporter.report import Report, report_of
from reporter.texts import LANGUAGES, texts
from stream_app.monitor.causes import title
from stream_app.store.queries import Monitored
from stream_app.views.incidents import status_of
from stream_app.windows.grain import Grain
from tests.support.staged_days import StagedDay, staged_day

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

#: Name → schedule, words of the status line, and words of headline and first event by language.
DAYS: dict[str, tuple[str, tuple[str, ...], dict[str, tuple[str, ...]]]] = {
    "prices times 100": (
        "price_times@17d9h+4h",
        ("Average order value of orders is", "price_deviation", "above expected"),
        {
            "en": ("The average value of orders", "of the revenue in doubt", "price_deviation"),
            "de": ("Durchschnittswert", "des Umsatzes sind zweifelhaft", "price_deviation"),
            "fr": ("Valeur moyenne", "du chiffre d'affaires sont douteux", "price_deviation"),
        },
    ),
    "UK gone": (
        "country_gone@17d8h+24h",
        ("orders from United Kingdom since 22 Jan 08:00", "below expected"),
        {
            "en": ("orders from United Kingdom", "since 22 Jan 2026, 08:00 UTC", "below expected"),
            "de": ("Bestellungen aus United Kingdom", "seit 22. Jan. 2026, 08:00 UTC", "unter dem erwarteten"),
            "fr": ("commandes venant de United Kingdom", "depuis le 22 janv. 2026, 08:00 UTC", "inférieur d'environ"),
        },
    ),
    "renamed field": (
        "field_renamed@17d10h+4h",
        ("Price is missing", "unknown field unit_price", "below expected"),
        {
            "en": ("The field price was missing", "below expected", "a field that is not in the contract"),
            "de": ("Das Feld price fehlte", "unter dem erwarteten", "ein Feld, das nicht im Vertrag steht"),
            "fr": ("Le champ price manquait", "inférieur d'environ", "un champ absent du contrat"),
        },
    ),
    "duplicates": (
        "duplicate_storm@17d11h+4h",
        ("of orders rejected", "order_id.unique"),
        {
            "en": ("of orders were rejected", "no revenue is missing", "order_id.unique"),
            "de": ("der Bestellungen abgewiesen", "es fehlt kein Umsatz", "order_id.unique"),
            "fr": ("de rejets parmi les commandes", "aucun chiffre d'affaires ne manque", "order_id.unique"),
        },
    ),
    "outage": (
        "outage@17d9h+6h",
        ("No orders", "09:00 to 15:00", "below expected"),
        {
            "en": ("No orders between 22 Jan 2026, 09:00 UTC and 15:00 UTC", "below expected"),
            "de": ("Keine Bestellungen vom 22. Jan. 2026, 09:00 UTC bis 15:00 UTC", "unter dem erwarteten"),
            "fr": ("Pas de commandes du 22 janv. 2026, 09:00 UTC à 15:00 UTC", "inférieur d'environ"),
        },
    ),
}


def written(day: StagedDay, language: str) -> tuple[Facts, Report]:
    say = texts(language)
    facts = compute(day.material, say)
    return facts, report_of(template.write(facts, say), facts, say, written_by="template", model=None, prompt="v")


def revenue(day: StagedDay) -> int:
    return day.material.counts["orders"].counts.revenue_minor


@pytest.mark.parametrize("name", DAYS)
def test_the_status_line_names_the_cause_and_the_money(name: str) -> None:
    schedule, words, _ = DAYS[name]
    day = staged_day(schedule)
    until = day.material.end
    status = status_of(day.incidents, until * 1_000, {"orders": Monitored(Grain.HOUR, until)})
    assert status.worst is not None
    said = title(status.worst, "USD")
    for one in words:
        assert one in said
    assert ("expected" in said.rpartition(",")[2]) == (name != "duplicates")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", DAYS)
def test_headline_first_event_and_first_paragraph_name_the_cause_and_the_money(name: str, language: str) -> None:
    schedule, _, words = DAYS[name]
    facts, report = written(staged_day(schedule), language)
    what, *rest = words[language]
    for one in (what, *rest):
        assert one in report.headline.text
    first, *others = report.events
    assert what in first.what.text
    assert others == [], "one cause is one event"
    for part in (first.money, first.cause, first.action, first.owner):
        assert part is not None
    summary = next(part for part in report.sections if part.key == "summary")
    assert any(what.lower() in item.text.lower() for item in summary.items[:2])
    page = markdown(report, facts, texts(language))
    assert not re.search(r"\{\{|\$|\bNone\b|\bnan\b", page)


@pytest.mark.parametrize("name", [name for name in DAYS if name != "duplicates"])
def test_the_money_is_what_the_day_without_the_incident_has_more_or_less(name: str) -> None:
    day, quiet = staged_day(DAYS[name][0]), staged_day("")
    truth = revenue(day) - revenue(quiet)
    facts, _ = written(day, "en")
    said = facts.number("incident.1.above") - facts.number("incident.1.below")
    assert said * truth > 0
    # What is expected is not what would have been.
    assert abs(said - truth) <= 0.25 * abs(truth)


def test_repeats_cost_no_revenue() -> None:
    day, quiet = staged_day(DAYS["duplicates"][0]), staged_day("")
    assert abs(revenue(day) - revenue(quiet)) <= 0.01 * revenue(quiet)
    facts, _ = written(day, "en")
    assert not facts.has("incident.1.below")
    assert not facts.has("incident.1.above")


def test_suspect_prices_do_not_make_the_value_at_risk() -> None:
    day, quiet = staged_day(DAYS["prices times 100"][0]), staged_day("")
    counts = day.material.counts["orders"].counts
    usual = revenue(quiet) / quiet.material.counts["orders"].counts.clean
    facts, _ = written(day, "en")
    assert facts.number("all.at_risk") == pytest.approx(counts.unvalued * usual, rel=0.1)
    assert facts.number("sales.doubted_revenue") == pytest.approx(revenue(day) - revenue(quiet), rel=0.05)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_quiet_day_is_good_and_nothing_stands_out(language: str) -> None:
    _, report = written(staged_day(""), language)
    assert report.headline.text.startswith(texts(language)("bands", "good"))
    assert report.events == []
