"""CSV holds ids as they are and numbers as numbers."""

from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from dashboard.parts import csv_files, tables
from stream_app.contract.summary import describe
from stream_app.counts.samples import CleanRecord, RecentFinding
from stream_app.monitor.incident import Incident
from stream_app.windows.grain import Grain
from tests.support.records import shop

ORDERS = describe(shop("built-in").contracts["orders"])


def read(written: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(written.decode("utf-8-sig"))))


def clean(**values: object) -> bytes:
    return csv_files.clean_csv(
        [CleanRecord(source="orders:0:1", record=values), CleanRecord(source="orders:0:2", record={})], ORDERS
    )


def test_an_id_is_written_as_it_is_even_if_another_record_lacks_it() -> None:
    first, second = read(clean(order_id=540_123, customer_id="00042", price=1234.5, quantity=2**70))
    assert first["order_id"] == "540123"
    assert first["customer_id"] == "00042"
    assert first["price"] == "1234.5"
    assert first["quantity"] == str(2**70)
    assert second["order_id"] == ""


def test_numbers_have_no_quotes_and_texts_have() -> None:
    written = clean(order_id=540_123, customer_id="00042").decode("utf-8-sig")
    assert '"00042"' in written
    assert '"540123"' not in written
    assert "540123" in written


@given(st.integers())
def test_any_integer_survives_the_table_and_the_export(number: int) -> None:
    assert read(clean(order_id=number))[0]["order_id"] == str(number)
    rows = [CleanRecord(source="orders:0:1", record={"order_id": number}), CleanRecord(source="orders:0:2", record={})]
    assert str(tables.clean(rows, ORDERS)["order_id"][0]) == str(number)


def test_findings_are_exported_as_they_are() -> None:
    row = RecentFinding(entity="orders", rule="=a", source="orders:0:007", event_time=0, segments={"country": "Spain"})
    [found] = read(csv_files.findings_csv([row]))
    assert (found["Event time"], found["Rule"], found["Source"]) == ("1970-01-01T00:00:00.000Z", "'=a", "orders:0:007")
    assert found["Segment"] == "country: Spain"


def test_what_an_incident_observed_and_expected_are_numbers() -> None:
    incident = Incident(
        id="a",
        entity="orders",
        metric="revenue",
        severity="error",
        state="open",
        start=0,
        end=3_600,
        grain=Grain.HOUR,
        windows=1,
        observed=123_450.0,
        expected=480_000.0,
        low=400_000.0,
        high=None,
        unit="money",
        direction="low",
        segment=None,
        updated=3_600,
    )
    [row] = read(csv_files.incidents_csv([incident], "USD"))
    assert (row["Observed"], row["Expected"], row["Lowest usual"], row["Highest usual"]) == ("1234.5", "4800.0", "4000.0", "")
    assert (row["Unit"], row["Id"]) == ("USD", "a")
