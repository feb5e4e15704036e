"""``headrace rejudge``: dead letters get another verdict, each once, and counts and topics agree."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from stream_app.names import AS_OF, ATTEMPTS, REDRIVE, Topics
from stream_app.settings import Settings
from tests.support.brokers import Broker
from tests.support.crew import changed, crew_at_work
from tests.support.processes import as_environment, clean_environment, headrace_command
from tests.support.recount import assert_exact
from tests.support.stream import BEGIN, Books, await_settled, customer, order, produce, product, read_topic

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def settings(settings: Settings, broker: Broker) -> Settings:
    return changed(settings, kafka=broker.bootstrap, grace=0.5, partitions=2)


def rejudge(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = headrace_command("rejudge", "--entity", "orders", *arguments)
    environment = clean_environment(**as_environment(settings))
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def dead(settings: Settings) -> list[Any]:
    return read_topic(settings, Topics("orders", settings.topic_prefix).dead_letter)


def test_rejected_records_are_judged_again_once(settings: Settings, broker: Broker, tmp_path: Path) -> None:
    """Their customer was not known; now it is."""
    late = [order(number, customer_id=77) for number in range(1, 31)]
    bad = [order(number, quantity=0) for number in range(101, 106)]
    with crew_at_work(settings, tmp_path, 1, [customer(1), product(1)]) as crew:
        produce(settings, [*late, *bad])
        await_settled(settings, {"orders": 35}, crew)
        assert Books(settings).total("orders")["rejected"] == 35
        first = {record.source: record for record in dead(settings)}
        produce(settings, [customer(77)])
        await_settled(settings, {"customers": 2}, crew)

        rule = "customer_id.reference"
        planned = rejudge(settings, "--from", "0", "--rule", rule, "--dry-run")
        assert planned.returncode == 0, planned.stderr
        assert "30 dead letters would be sent again" in planned.stdout
        assert Books(settings).total("orders")["in"] == 35

        done = rejudge(settings, "--from", "0", "--rule", rule)
        assert done.returncode == 0, done.stderr
        assert "30 of 30 records sent" in done.stderr
        await_settled(settings, {"orders": 65}, crew)
        total = Books(settings).total("orders")
        assert (total["in"], total["clean"], total["rejected"]) == (65, 30, 35)

        # Each is the record that it was, with a link to it.
        raw = [one for one in read_topic(settings, Topics("orders", settings.topic_prefix).raw) if one.header(REDRIVE)]
        assert len(raw) == 30
        for record in raw:
            before = first[(record.header(REDRIVE) or b"").decode()]
            assert (record.partition, record.key, record.value, record.timestamp) == (
                before.partition, before.key, before.value, before.timestamp,
            )  # fmt: skip
            assert record.header(ATTEMPTS) == b"1"
            assert record.header(AS_OF) == b"%d" % before.timestamp
            assert not [name for name, _ in record.headers if name.startswith(("__connect", "kafka_dlt"))]

        if broker.kind == "kafka":
            again = rejudge(settings, "--from", "0", "--rule", rule)
            assert "0 dead letters are sent again" in again.stderr
            assert "30 were sent by an earlier run" in again.stderr

        # What is rejected again is another dead letter, of the second attempt; its predecessor is not sent any more.
        assert "5 of 5 records sent" in rejudge(settings, "--from", "0", "--rule", "quantity.minimum").stderr
        await_settled(settings, {"orders": 70}, crew)
        second = [record for record in dead(settings) if record.header(ATTEMPTS) == b"2"]
        assert len(second) == 5
        planned = rejudge(settings, "--from", "0", "--to", "2100-01-01", "--rule", "quantity.minimum", "--dry-run")
        assert "5 dead letters would be sent again" in planned.stdout
    assert_exact(settings)


def test_a_time_range_selects_by_as_of_time(settings: Settings, tmp_path: Path) -> None:
    headers = [((AS_OF, b"%d" % ((BEGIN + number) * 1000)),) for number in range(10)]
    records = [order(number + 1, quantity=0) for number in range(10)]
    with crew_at_work(settings, tmp_path, 1, [customer(1), product(1)]) as crew:
        produce(
            settings, [type(one)(one.entity, one.key, one.value, found) for one, found in zip(records, headers, strict=True)]
        )
        await_settled(settings, {"orders": 10}, crew)
        planned = rejudge(settings, "--from", "2023-11-14T22:13:24Z", "--to", "2023-11-14T22:13:27Z", "--dry-run")
        assert "3 dead letters would be sent again" in planned.stdout, planned.stderr
        (found,) = {json.loads(record.value)["quantity"] for record in dead(settings)}
        assert found == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--from", "soon"), "is neither an offset nor a time"),
        (("--from", "0", "--rule", "no.such"), "has no rule no.such"),
        (("--from", "0", "--entity", "parcels"), "the shop has no contract for parcels"),
    ],
)
def test_a_selection_that_makes_no_sense_is_refused(settings: Settings, arguments: tuple[str, ...], says: str) -> None:
    refused = rejudge(settings, *arguments)
    assert refused.returncode == 2
    assert says in refused.stderr.replace("\n", " ")
