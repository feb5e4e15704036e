"""The arithmetic of `headrace evaluate`, on truths made by hand."""

from __future__ import annotations

import pytest

from headrace.evaluation.report import Targets, of_records, of_trials, shown
from headrace.evaluation.run import Outcome, Trial
from headrace.evaluation.score import (
    FAULTLESS,
    REPAIR,
    WEEK,
    Alarm,
    IncidentScore,
    RecordScores,
    Score,
    Staged,
    Truth,
    found_incidents,
    unexplained,
)
from stream_app.contract import load_shop

SHOP = load_shop(None)
HOUR = 3_600
ZERO = Truth("zero_price", "price.exclusiveMinimum", (), "rejected")
TEXT = Truth("quantity_as_text", None, (), "clean")
DEAR = Truth("outlying_price", "price_outlier", ("price_deviation",), "clean")


def scores(*rows: tuple[Truth, list[str], bool, str]) -> RecordScores:
    made = RecordScores()
    for truth, found, repaired, outcome in rows:
        made.add("orders", truth, found, outcome, repaired=repaired)
    return made


def test_precision_and_recall_are_shares_of_what_was_found_and_of_what_was_broken() -> None:
    assert (Score(caught=6, missed=2, wrong=4).precision, Score(caught=6, missed=2, wrong=4).recall) == (0.6, 0.75)
    assert (Score().precision, Score().recall) == (None, None)
    assert (Score(missed=3).precision, Score(missed=3).recall) == (None, 0.0)
    assert (Score(wrong=3).precision, Score(wrong=3).recall) == (0.0, None)


def test_a_record_is_caught_missed_or_wrong() -> None:
    made = scores(
        (ZERO, ["price.exclusiveMinimum"], False, "rejected"),
        (ZERO, [], False, "clean"),
        (ZERO, ["price.exclusiveMinimum", "quantity.minimum"], False, "rejected"),
        (FAULTLESS, ["quantity.minimum"], False, "rejected"),
        (FAULTLESS, [], False, "clean"),
    )
    assert made.records == 5
    assert made.rules["orders", "price.exclusiveMinimum"] == Score(caught=2, missed=1, wrong=0)
    assert made.rules["orders", "quantity.minimum"] == Score(caught=0, missed=0, wrong=2)
    assert made.outcomes == {("zero_price", "rejected", "clean"): 1, ("-", "clean", "rejected"): 1}


def test_what_a_fault_may_break_besides_is_neither_caught_nor_wrong() -> None:
    made = scores((DEAR, ["price_deviation", "price_outlier"], False, "clean"), (DEAR, ["price_deviation"], False, "clean"))
    assert made.rules == {("orders", "price_outlier"): Score(caught=1, missed=1, wrong=0)}


def test_a_repair_is_found_where_there_is_something_to_repair_and_wrong_elsewhere() -> None:
    made = scores((TEXT, [], True, "clean"), (TEXT, [], False, "clean"), (FAULTLESS, [], True, "clean"))
    assert made.rules == {("orders", REPAIR): Score(caught=1, missed=1, wrong=1)}


def test_what_an_incident_did_to_a_record_is_no_false_finding_of_the_rules_that_it_may_break() -> None:
    flooded = Truth(None, None, ("customer_id.required",), None, "null_flood")
    made = scores((flooded, ["customer_id.required"], False, "rejected"), (flooded, ["price_outlier"], True, "clean"))
    assert made.rules == {("orders", "price_outlier"): Score(caught=0, missed=0, wrong=1)}
    assert not made.outcomes


def staged(name: str, start: int, end: int, *shown_by: str, visible: int | None = None) -> Staged:
    return Staged(name, start, start if visible is None else visible, end, shown_by)


def alarm(name: str, at: int) -> Alarm:
    return Alarm(name, at, at + HOUR, HOUR)


@pytest.mark.parametrize(
    ("raised", "delays"),
    [
        (10 * HOUR, [1]),  # in the window that holds the start
        (11 * HOUR, [2]),
        (17 * HOUR, [8]),  # the last one that counts: the second after the end
        (9 * HOUR, []),  # before
        (18 * HOUR, []),  # too late
    ],
)
def test_the_delay_counts_windows_from_the_one_that_holds_the_start(raised: int, delays: list[int]) -> None:
    outage = staged("outage", 10 * HOUR + 600, 16 * HOUR, "orders:volume")
    score = found_incidents([outage], [alarm("orders:volume", raised)])["outage"]
    assert score.delays == delays
    assert score.missed == 1 - len(delays)


def test_only_an_anomaly_that_must_show_an_incident_finds_it_and_the_first_one_counts() -> None:
    spike = staged("spike", 10 * HOUR, 14 * HOUR, "orders:volume", "orders:revenue")
    raised = [alarm("orders:volume", 12 * HOUR), alarm("orders:revenue", 11 * HOUR), alarm("customers:volume", 10 * HOUR)]
    assert found_incidents([spike], raised)["spike"] == IncidentScore([2], 0, {"orders:revenue": 1})


def test_what_grows_is_counted_from_when_it_can_be_noticed() -> None:
    decay = staged("slow_decay", 10 * HOUR, 50 * HOUR, "orders:conformity", visible=20 * HOUR)
    assert found_incidents([decay], [alarm("orders:conformity", 21 * HOUR)])["slow_decay"].delays == [2]
    assert found_incidents([decay], [alarm("orders:conformity", 15 * HOUR)])["slow_decay"].delays == [1]


def test_an_alarm_is_false_where_no_incident_is_on_and_none_has_just_ended() -> None:
    outage = staged("outage", 10 * HOUR, 16 * HOUR, "orders:volume")
    raised = [alarm("orders:revenue", at * HOUR) for at in (8, 9, 10, 15, 17, 18)]
    assert [one.at // HOUR for one in unexplained([outage], raised, 2 * HOUR)] == [8, 9, 18]


def test_precision_and_recall_are_averaged_over_the_seeds_and_counts_are_added() -> None:
    right = scores((ZERO, ["price.exclusiveMinimum"], False, "rejected"))
    half = scores(*[(ZERO, ["price.exclusiveMinimum"], False, "rejected"), (ZERO, [], False, "rejected")] * 3)
    (row,) = of_records(SHOP, [right, half]).rules
    assert (row.entity, row.rule, row.kind) == ("orders", "price.exclusiveMinimum", "deterministic")
    assert row.score == Score(caught=4, missed=3)
    assert row.recall == pytest.approx((1.0 + 0.5) / 2)
    assert row.precision == 1.0


def test_rules_that_no_fault_breaks_are_named() -> None:
    idle = of_records(SHOP, [scores((ZERO, ["price.exclusiveMinimum"], False, "rejected"))]).idle
    assert "orders price.exclusiveMinimum" not in idle
    assert "orders order_value" in idle


def outcome(what: str, *, alarms: list[Alarm], weeks: float = 2.0, incidents: tuple[Staged, ...] = ()) -> Outcome:
    trial = Trial(what, 1, 1, 1.0, 0.0)  # type: ignore[arg-type]
    return Outcome(trial, scores(), incidents, alarms, weeks * WEEK)


def test_false_alarms_are_counted_by_week_and_sort_of_stream() -> None:
    outage = staged("outage", 10 * HOUR, 16 * HOUR, "orders:volume")
    made = of_trials(
        SHOP,
        [
            outcome("quiet", alarms=[alarm("orders:volume", HOUR)] * 3),
            outcome("quiet", alarms=[], weeks=1.0),
            outcome("incidents", alarms=[alarm("orders:volume", 10 * HOUR), alarm("orders:volume", HOUR)], incidents=(outage,)),
        ],
    )
    assert made.alarms["quiet"].a_week == 1.0
    assert (made.alarms["incidents"].count, made.alarms["incidents"].names) == (1, {"orders:volume": 1})
    assert made.incidents["outage"].in_time == 1
    assert not made.unmet(Targets())
    assert made.unmet(Targets(alarms=0.9)) == ["1.00 false alarms a week on streams without faults"]


def test_what_is_not_reached_is_said() -> None:
    outage = staged("outage", 10 * HOUR, 16 * HOUR, "orders:volume")
    late = of_trials(SHOP, [outcome("incidents", alarms=[alarm("orders:volume", 14 * HOUR)], incidents=(outage, outage))])
    assert late.unmet(Targets()) == ["outage: 2 of 2 found after window 2, 0 not found"]
    assert not late.unmet(Targets(windows=5))
    made = of_records(SHOP, [scores(*[(DEAR, ["price_outlier"], False, "clean")] * 9, (DEAR, [], False, "clean"))])
    assert made.unmet(Targets()) == ["orders price_outlier: precision 1.000, recall 0.900"]
    assert not made.unmet(Targets(outliers=0.9))


def test_a_share_is_never_rounded_up_to_all() -> None:
    assert (shown(0.99999), shown(1.0), shown(None)) == ("0.999", "1.000", "–")


def test_targets_are_read() -> None:
    assert Targets.parse("targets") == Targets()
    assert Targets.parse("outliers=0.9, windows=3") == Targets(None, 0.9, 3, None)
    for text in ("speed=3", "rules=all", ""):
        with pytest.raises(ValueError, match=r"target|could not convert"):
            Targets.parse(text)
