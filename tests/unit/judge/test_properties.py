"""For every record the judge never raises, both ways agree, and what is clean stays clean."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_app.contract import load_shop
from stream_app.contract.document import read_document
from stream_app.errors import HeadraceError
from stream_app.judge import Judge
from tests.support.examples import examples
from tests.support.near import ENTITIES, FULL, as_ofs, every_type_judge, hold, json_values, many, records
from tests.support.records import AS_OF, GOOD, SHOPS, judge_of


@pytest.mark.parametrize(("name", "entity"), ENTITIES)
@many
@given(raw=st.none() | st.binary(max_size=200), as_of=as_ofs)
def test_any_bytes_get_a_verdict(name: str, entity: str, raw: bytes | None, as_of: int) -> None:
    hold(judge_of(name, entity), raw, as_of)


@pytest.mark.parametrize(("name", "entity"), ENTITIES)
@many
@given(value=json_values, as_of=as_ofs)
def test_any_json_gets_a_verdict(name: str, entity: str, value: Any, as_of: int) -> None:
    hold(judge_of(name, entity), json.dumps(value).encode("utf-8", "surrogatepass"), as_of)


@pytest.mark.parametrize(("name", "entity"), ENTITIES)
@settings(many, max_examples=examples(250))
@given(data=st.data(), as_of=as_ofs)
def test_records_near_the_contract_get_the_same_verdict_either_way(
    name: str, entity: str, data: st.DataObject, as_of: int
) -> None:
    judge = judge_of(name, entity)
    hold(judge, data.draw(records(judge.contract, GOOD[name, entity])), as_of)


@pytest.mark.parametrize(("name", "entity"), ENTITIES)
@many
@given(data=st.data())
def test_a_good_record_with_one_byte_changed_gets_a_verdict(name: str, entity: str, data: st.DataObject) -> None:
    raw = bytearray(json.dumps(GOOD[name, entity]).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    hold(judge_of(name, entity), bytes(raw), AS_OF)


@pytest.fixture(scope="module")
def every_type(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    return every_type_judge(tmp_path_factory.mktemp("every"))


def test_the_contract_of_every_type_has_a_good_record(every_type: Judge) -> None:
    verdict = hold(every_type, json.dumps(FULL).encode(), AS_OF)
    assert not verdict.rejected
    assert verdict.repairs == ("spelled.spelling",)


@settings(many, max_examples=examples(500))
@given(data=st.data(), as_of=as_ofs)
def test_the_same_holds_for_every_type_option_and_step(every_type: Judge, data: st.DataObject, as_of: int) -> None:
    hold(every_type, data.draw(records(every_type.contract, FULL)), as_of)


@settings(many, max_examples=examples(150))
@given(texts=st.lists(st.text(max_size=12), min_size=5, max_size=5))
def test_any_texts_stay_as_they_were_cleaned(every_type: Judge, texts: list[str]) -> None:
    record = FULL | dict(zip(["text", "loud", "quiet", "bare", "spelled"], texts, strict=True))
    hold(every_type, json.dumps(record).encode("utf-8", "surrogatepass"), AS_OF)


# --- contracts --------------------------------------------------------------------------------------------------------

ODD = st.sampled_from(
    [None, True, False, 0, -1, 1.5, math.inf, math.nan, 10**30, "", "x", "[", "a.b", [], [1], ["x"], {}, {"x": 1}, "2000-01-01",
     "integer", "string", "timestamp", "number", "as_of", "1 > 0", "quantity", "customers.name", "lower", ["upper"], "\x00"]
)  # fmt: skip


def paths_of(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(inner for key, value in items for inner in paths_of(value, (*path, key)))]


@pytest.fixture(scope="module")
def rewritten(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str, Any], Path]:
    folder = tmp_path_factory.mktemp("rewritten")
    for name, source in SHOPS.items():
        shutil.copytree(source, folder / name)

    def write(name: str, entity: str, data: Any) -> Path:
        shutil.copytree(SHOPS[name], folder / name, dirs_exist_ok=True)
        (folder / name / f"{entity}.odcs.yaml").write_text(json.dumps(data, indent=1), encoding="utf-8")
        return folder / name

    return write


@settings(max_examples=examples(100), deadline=None)
@given(data=st.data())
def test_a_contract_with_a_value_changed_is_refused_or_can_judge(
    rewritten: Callable[[str, str, Any], Path], data: st.DataObject
) -> None:
    name, entity = data.draw(st.sampled_from(ENTITIES))
    document = read_document(SHOPS[name] / f"{entity}.odcs.yaml").data
    *parents, last = data.draw(st.sampled_from(paths_of(document)[1:]))
    node = document
    for key in parents:
        node = node[key]
    node[last] = data.draw(ODD)
    try:
        contracts = load_shop(rewritten(name, entity, document)).contracts
    except HeadraceError as error:
        assert "\n" not in str(error)  # noqa: PT017 - it may be refused, in one line
        return
    for contract in contracts.values():
        Judge(contract).judge(json.dumps(GOOD[name, entity]).encode(), AS_OF)
