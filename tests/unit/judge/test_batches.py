"""A record gets the same verdict in a batch of any others as by itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_app.judge import Judge
from stream_app.judge.batch import Batch, Settled, Verdicts
from stream_app.position import Position
from tests.support.examples import examples
from tests.support.near import ENTITIES, FULL, as_ofs, every_type_judge, many, records, said
from tests.support.records import AS_OF, GOOD, judge_of

PLAIN = (",", ":")


def canonical(record: dict[str, Any]) -> bytes:
    return json.dumps(record, separators=PLAIN).encode()


def alone(judge: Judge, raws: list[bytes | None], as_of: list[int]) -> list[Any]:
    return [said(judge.examine(raw, moment)) for raw, moment in zip(raws, as_of, strict=True)]


@pytest.mark.parametrize(("name", "entity"), ENTITIES)
@settings(many, max_examples=examples(100))
@given(data=st.data())
def test_a_batch_comes_to_the_verdicts_of_its_records(name: str, entity: str, data: st.DataObject) -> None:
    judge = judge_of(name, entity)
    good = GOOD[name, entity]
    one = st.one_of(
        st.just(canonical(good)),
        st.just(json.dumps(good).encode()),
        records(judge.contract, good),
        st.none(),
        st.binary(max_size=9),
    )
    raws = data.draw(st.lists(one, min_size=1, max_size=12))
    as_of = data.draw(st.lists(as_ofs, min_size=len(raws), max_size=len(raws)))
    verdicts = judge.judge_all(raws, as_of)
    assert [said(verdict) for verdict in verdicts] == alone(judge, raws, as_of)
    columns_hold(verdicts)


def columns_hold(verdicts: Verdicts) -> None:
    """Columns say what the verdicts say."""
    for field in verdicts.contract.fields:
        values = [None if verdict.values is None else verdict.values[field.name] for verdict in verdicts]
        assert verdicts.column(field.name) == values
    assert verdicts.bodies == [verdict.body for verdict in verdicts]


def test_canonical_records_are_not_judged_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = judge_of("built-in", "orders")

    def never(*_: Any) -> None:
        raise AssertionError("a canonical record was judged by itself")

    monkeypatch.setattr(judge, "_judge_one", never)
    good = GOOD["built-in", "orders"]
    raws: list[bytes | None] = [canonical(good), json.dumps(good).encode()] * 3
    assert [verdict.body for verdict in judge.judge_all(raws, [1_800_000_000_000] * 6)] == [canonical(good)] * 6


ODD_NUMBERS = [1e16, -1e16, 1.5e300, 5e-324, 1e-7, 0.1, -0.0, 123456789012345680.0, 2.0**53, 1e15, 9999999999999998.0]
ODD_MOMENTS = [
    "2024-05-01T10:00:00.5Z", "2024-05-01T10:00:00.500000Z", "2024-05-01T10:00:00+00:00", "2024-05-01T12:00:00+02:00",
    "2024-05-01t10:00:00z", "2024-05-01 10:00:00Z", "2024-05-01T10:00:00", "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z", "2024-05-01T10:00:00.1234567Z", "2024-05-01T24:00:00Z",
    "2024-05-01T23:59:60Z", "2100-01-01T00:00:00Z",
]  # fmt: skip


#: Nothing of it is spelled in another way, so that it is canonical.
PLAINLY = FULL | {"spelled": "Spain"}


@pytest.fixture(scope="module")
def every_type(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    return every_type_judge(tmp_path_factory.mktemp("every"))


def test_a_record_of_every_type_can_be_canonical(every_type: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(every_type, "_judge_one", None)
    verdict = every_type.judge(canonical(PLAINLY), 1_800_000_000_000)
    assert (verdict.body, verdict.repairs) == (canonical(PLAINLY), ())


@pytest.mark.parametrize("text", ["1e16", "1e+16", "1E5", "-0", "-0.0", "5", "5.0", "0.10", "1e-7", "123456789012345680.0"])
def test_numbers_in_any_spelling(every_type: Judge, text: str) -> None:
    raw = canonical(PLAINLY | {"step": 0.0}).replace(b'"step":0.0', b'"step":' + text.encode())
    assert said(every_type.judge(raw, 10**12)) == said(every_type.examine(raw, 10**12))


@pytest.mark.parametrize(
    "value", [*ODD_NUMBERS, *ODD_MOMENTS, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, True, "é", "a\\u0041", "\x7f"]
)
@pytest.mark.parametrize("field", ["step", "wide", "low", "at", "when", "t", "bare", "flag"])
def test_values_at_the_edge_of_what_two_serialisers_agree_on(every_type: Judge, field: str, value: Any) -> None:
    for separators in (PLAIN, (", ", ": ")):
        raw = json.dumps(PLAINLY | {field: value}, separators=separators).encode()
        assert said(every_type.judge(raw, 10**12)) == said(every_type.examine(raw, 10**12))


def test_each_step_returns_the_batch_with_what_it_found() -> None:
    judge = judge_of("built-in", "orders")
    fetched = Batch(0, "orders//0", Position(), [None], [5], [b"orders:0:5"], [AS_OF], [True])
    with pytest.raises(ValueError, match="has not been judged"):
        _ = fetched.judged
    assert (len(fetched), fetched.pending) == (1, frozenset())

    first, second = judge.judge_all([None], [AS_OF]), judge.judge_all([b"{}"], [AS_OF])
    judged = fetched.with_verdicts(first)
    assert (judged.judged, judged.pending, fetched.verdicts) == (first, frozenset(), None)

    settled = judged.with_settled(Settled(second, frozenset({0})))
    assert settled.judged is second
    assert settled.verdicts is first
    assert settled.pending == {0}
    again = settled.with_verdicts(first)
    assert again.judged is first
    assert again.settled is None
