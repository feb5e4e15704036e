"""A record without a plausible moment is not of 1970: nothing about its date is found, and it counts when it is applied."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from stream_app.contract import load_shop
from stream_app.counts.fields import RECEIVED
from stream_app.counts.tally import Tally
from stream_app.judge import Judge
from stream_app.judge.batch import Batch
from stream_app.judge.lookups import lookup_rule_ids
from stream_app.kafka.as_of import read_as_of
from stream_app.names import AS_OF
from stream_app.position import Position
from stream_app.windows.as_of import UNKNOWN
from stream_app.windows.watermark import Finality
from stream_app.worker.entity import Entity
from stream_app.worker.pipeline import judge
from tests.support.records import GOOD, encoded, order, shop

#: 2026-11-29T12:00:00Z, in ms.
NOW = 1_795_953_600_000
TODAY = "2026-11-29T11:59:00Z"


def judged(entity: str, *records: Any) -> Batch:
    contract = shop("built-in").contracts[entity]
    worker = cast("Entity", SimpleNamespace(contract=contract, judge=Judge(contract), finality=Finality()))
    as_of, dated, misdated = read_as_of(records)
    offsets = range(len(records))
    return judge(worker, Batch(0, entity, Position(), records, offsets, [b""] * len(records), as_of, dated, misdated=misdated))


def record(value: bytes, timestamp: int, *headers: tuple[str, bytes | None]) -> Any:
    return SimpleNamespace(key=b"1", value=value, timestamp=timestamp, headers=headers)


def rules(batch: Batch, index: int = 0) -> list[str]:
    return [rule.id for rule in batch.judged[index].findings]


@pytest.mark.parametrize("timestamp", [-1, 0, NOW // 1000, NOW * 1000, NOW * 1_000_000])
@pytest.mark.parametrize("spaced", [False, True])
def test_what_an_unknown_moment_would_tell_is_not_found(timestamp: int, *, spaced: bool) -> None:
    """``spaced``: not canonical, so that the record takes another way to its verdict."""
    value = encoded(order(order_date=TODAY))
    batch = judged("orders", record(b" " + value if spaced else value, timestamp), record(value, NOW))
    assert (rules(batch), batch.as_of[0]) == ([], UNKNOWN)
    assert batch.judged[0].event_ms == NOW - 60_000
    assert rules(judged("orders", record(value, NOW - 2 * 86_400_000))) == ["order_date_future"]


def test_a_record_without_any_time_counts_when_it_is_applied() -> None:
    good = encoded(GOOD["built-in", "customers"])
    batch = judged("customers", record(good, -1), record(b"{", 0), record(good, NOW))
    tally = Tally(shop("built-in").contracts["customers"], applied_ms=NOW + 120_000)
    tally.add_all(batch.judged, (), str)
    assert {minute * 60_000 - NOW: counts[RECEIVED] for minute, counts in tally.minutes.items()} == {0: 1, 120_000: 2}
    assert batch.clock.reached == NOW
    assert [finding.event_time for finding in tally.samples.findings] == [None]


@pytest.mark.parametrize("value", [b"253370764800000", b"99999999999999999999", b"2026-11-29", b"-1", b""])
def test_a_header_that_cannot_be_shown_is_a_finding_and_not_the_records_time(value: bytes) -> None:
    batch = judged("customers", record(encoded(GOOD["built-in", "customers"]), NOW, (AS_OF, value)))
    assert rules(batch) == ["record.asOf"]
    assert not batch.judged[0].rejected
    assert (batch.as_of, batch.dated) == ([NOW], [False])
    # The pending record has another header, so that judging it again would not find this.
    assert lookup_rule_ids(batch.judged[0]) == ["record.asOf"]


def test_a_required_field_that_depends_on_an_unknown_moment_is_optional(tmp_path: Any) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    text = (shop("built-in").folder / "products.odcs.yaml").read_text("utf-8")
    rule = {
        "id": "category_given", "type": "custom", "engine": "headrace", "dimension": "completeness", "severity": "warning",
        "implementation": {"required": ["category"], "when": 'product_id > 0 && as_of > timestamp("2000-01-01T00:00:00Z")'},
        "description": "Products have a category.",
    }  # fmt: skip
    document = yaml.safe_load(text)
    schema = document["schema"][0]
    for one in schema["properties"]:
        if one["name"] == "category":
            one["required"] = False
    schema.setdefault("quality", []).append(rule)
    (folder / "products.odcs.yaml").write_text(json.dumps(document), "utf-8")
    contract = load_shop(folder).contracts["products"]
    value = encoded(GOOD["built-in", "products"] | {"category": None})
    verdicts = Judge(contract).judge_all([value, value], [UNKNOWN, NOW])
    assert [[rule.id for rule in verdict.findings] for verdict in verdicts] == [[], ["category_given"]]
