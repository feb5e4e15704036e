"""A shop with every kind of rule that one pass over files can tell, judged from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from headrace.cli.main import cli

SHOP = """\
apiVersion: v3.1.0
kind: DataContract
id: stays
version: 1.0.0
status: active
schema:
  - name: stays
    properties:
      - {name: stay, logicalType: integer, primaryKey: true}
      - {name: guest, logicalType: string, required: true, logicalTypeOptions: {format: email}}
      - {name: from, logicalType: string, logicalTypeOptions: {format: country}}
      - {name: visa, logicalType: string}
      - {name: arrival, logicalType: date, required: true, logicalTypeOptions: {minimum: "2000-01-01", format: dd/MM/yyyy}}
      - {name: departure, logicalType: date, required: true}
      - name: room
        logicalType: integer
        logicalTypeOptions: {format: u8}
        quality:
          - {id: room_given, metric: nullValues, unit: percent, mustBeLessThan: 20, dimension: completeness}
    quality:
      - id: leaves_later
        type: custom
        engine: headrace
        implementation: {condition: arrival < departure}
        dimension: consistency
      - id: visa_shown
        type: custom
        engine: headrace
        implementation: {required: [visa], when: 'from != "GB"'}
        dimension: completeness
        severity: warning
      - id: same_room
        metric: duplicateValues
        arguments: {properties: [room, arrival]}
        mustBeLessOrEqualTo: 3
        dimension: uniqueness
        severity: warning
      - {id: busy, metric: rowCount, mustBeBetween: [1, 500], dimension: coverage}
"""
GOOD = {
    "stay": 1,
    "guest": "ada@example.org",
    "from": "GB",
    "visa": None,
    "arrival": "2024-05-01",
    "departure": "2024-05-03",
    "room": 7,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "stays.odcs.yaml").write_text(SHOP, encoding="utf-8")
    sources = "sources:\n  - name: stays\n    match: 'stays*'\n    feeds:\n      - entity: stays\n"
    (tmp_path / "shop" / "sources.yaml").write_text(sources, encoding="utf-8")
    return tmp_path


def checked(folder: Path, *changes: dict[str, Any]) -> dict[str, Any]:
    """The check's status for good stays, each changed in some way."""
    file = folder / "stays.jsonl"
    rows = [GOOD | {"stay": number, "room": number} | change for number, change in enumerate(changes, 1)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    done = CliRunner().invoke(cli, ["check", "--shop", str(folder / "shop"), "--json", str(file)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    entity: dict[str, Any] = json.loads(done.stdout)["entities"]["stays"]
    return entity


def test_a_good_stay_is_good(folder: Path) -> None:
    stays = checked(folder, {})
    assert (stays["clean"], stays["rejected"], stays["findings"]) == (1, 0, {})
    assert stays["quality"]["valid"] == 1


@pytest.mark.parametrize(
    ("change", "rule", "rejected"),
    [
        ({"guest": "ada@example"}, "guest.format", True),
        ({"from": "UK"}, "from.format", True),
        ({"arrival": "31/04/2024"}, "arrival.type", True),
        ({"arrival": "31/12/1999"}, "arrival.minimum", True),
        ({"arrival": "03/05/2024"}, "leaves_later", True),
        ({"room": 256}, "room.format", True),
        ({"from": "FR"}, "visa_shown", False),
        ({"room": None}, "room_given", False),
    ],
)
def test_one_fault_is_one_finding(folder: Path, change: dict[str, Any], rule: str, rejected: bool) -> None:
    stays = checked(folder, {}, change, {})
    assert stays["findings"] == {rule: 1}
    assert (stays["clean"], stays["rejected"]) == ((2, 1) if rejected else (3, 0))


def test_a_repetition_and_a_contradiction_are_two_faults(folder: Path) -> None:
    stays = checked(folder, {}, {"stay": 1, "room": 1}, {"stay": 1, "room": 9})
    assert stays["findings"] == {"stay.unique": 1, "stay.contradiction": 1, "same_room": 1}
    assert (stays["clean"], stays["rejected"]) == (1, 2)


def test_what_a_window_counts_makes_nothing_invalid(folder: Path) -> None:
    stays = checked(folder, {}, {"room": 1}, {"room": None})
    assert stays["findings"] == {"same_room": 1, "room_given": 1}
    assert (stays["clean"], stays["quality"]["valid"]) == (3, 1)
