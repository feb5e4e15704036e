"""A report says what people made of an incident, and up to when incidents were looked for; it waits for the monitor."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from reporter.claims import claims_of
from reporter.compute import compute
from reporter.periods import Period
from reporter.prompt import question
from reporter.service import Reporter
from reporter.texts import texts as texts_of
from reporter.watch import MONITOR_SECONDS, Watch
from stream_app.counts.fields import Counts
from stream_app.monitor.acts import Act
from stream_app.settings import Settings
from stream_app.store.period import PeriodCounts
from stream_app.store.queries import Monitored
from stream_app.windows.grain import Grain
from tests.support.report_facts import an_incident, material

HOUR = 3_600
ACTS = (
    Act("1", an_incident().id, "orders", "volume", "expected", "ann@example.org", 1_790_051_000_000),
    Act("2", an_incident().id, "orders", "volume", "assigned", "ann@example.org", 1_790_052_000_000, to="Bob"),
)


@pytest.mark.parametrize(
    ("language", "state"), [("en", "expected"), ("de", "erwartet"), ("fr", "attendu")]
)  # fmt: skip
def test_life_owner_and_the_monitors_moment_are_facts(language: str, state: str) -> None:
    facts = compute(material(incidents=(an_incident(),), acts=ACTS, judged=1_790_049_600), texts_of(language)).all
    assert facts["incident.1.life"].rendering == state
    assert (facts["incident.1.by"].rendering, facts["incident.1.owner"].rendering) == ("ann@example.org", "Bob")
    assert facts["incidents.judged"].value == 1_790_049_600


@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_what_people_did_is_always_said_and_their_names_are_not_sent(language: str) -> None:
    facts = compute(material(incidents=(an_incident(),), acts=ACTS, judged=1_790_049_600), texts_of(language))
    claims = claims_of(facts, texts_of(language))
    assert [claims[f"anomalies.{kind}.incident.1"].must for kind in ("life", "owner")] == [True, True]
    sent = json.dumps(question(facts, claims, "a-model"), ensure_ascii=False)
    assert "ann@example.org" not in sent
    assert "Bob" not in sent


def test_without_acts_and_monitor_there_are_no_such_facts() -> None:
    facts = compute(material(incidents=(an_incident(),), judged=None), texts_of("en")).all
    assert not {"incident.1.life", "incident.1.by", "incident.1.owner", "incidents.judged"} & set(facts)


class Queries:
    def __init__(self, **until: int) -> None:
        self.until = {entity: Monitored(Grain.HOUR, hours * HOUR) for entity, hours in until.items()}

    def contracts(self) -> dict[str, Any]:
        return {"orders": None, "customers": None}

    def monitored(self, _entities: list[str]) -> dict[str, Monitored]:
        return self.until


def judged(queries: Queries, end: int, stream: float, **changes: Any) -> bool:
    """Of a period of 24 hours that ends at hour ``end``, with the stream at hour ``stream``."""
    reporter = Reporter(Settings(**changes), cast("Any", None), queries=cast("Any", queries), store=cast("Any", object()))
    return reporter.judged(Period((end - 24) * HOUR, end * HOUR), int(stream * HOUR * 1_000))


def test_a_period_is_judged_once_the_monitor_has_its_final_windows() -> None:
    assert judged(Queries(orders=48, customers=48), 48, 48.5)
    assert not judged(Queries(orders=47, customers=48), 48, 48.5)
    # The last hour is not final before its grace: nobody can have judged it.
    assert judged(Queries(orders=47, customers=47), 48, 48.02)
    assert judged(Queries(), 48, 48.5)
    assert judged(Queries(orders=2), 48, 48.5, monitor=False)


def test_a_report_waits_for_the_monitor_but_not_for_ever() -> None:
    now = [0.0]

    class Late:
        def judged(self, _period: Period, _stream_ms: int) -> bool:
            return False

    watch = Watch(cast("Any", Late()), 24 * HOUR, 0.0, clock=lambda: now[0])
    period = Period(0, 24 * HOUR)
    assert watch._waits_for_monitor(period, 0)  # noqa: SLF001
    now[0] = MONITOR_SECONDS - 1
    assert watch._waits_for_monitor(period, 0)  # noqa: SLF001
    now[0] = MONITOR_SECONDS
    assert not watch._waits_for_monitor(period, 0)  # noqa: SLF001


@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_an_open_incident_that_somebody_settled_does_not_lower_the_verdict(language: str) -> None:
    texts = texts_of(language)
    good = {entity: PeriodCounts(Counts(received=1_000, clean=1_000)) for entity in material().contracts}
    watched = compute(material(counts=good, incidents=(an_incident(),)), texts).all
    settled = compute(material(counts=good, incidents=(an_incident(),), acts=ACTS), texts).all
    assert watched["all.band"].rendering == texts("bands", "watch")
    assert settled["all.band"].rendering == texts("bands", "good")
    assert (settled["incidents.open"].value, settled["incidents.unsettled"].value) == (1, 0)
    assert "incidents.unsettled" not in watched
