"""Numbers as text: all of 64 bits, and each text that a float has, are read as the number itself is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.contract import Field
from stream_app.judge.cleaning import cleaner
from tests.support.records import AS_OF, encoded, judge_of, order

INTEGER = cleaner(Field("f", "integer", clean=("number",)))
NUMBER = cleaner(Field("f", "number", clean=("number",)))


@given(st.integers(-(2**63), 2**63 - 1), st.sampled_from(["{}", "{}.0", "{}.00000000"]))
def test_every_integer_of_64_bits_is_read(number: int, form: str) -> None:
    assert INTEGER(form.format(number)) == (number, ["number"])


@pytest.mark.parametrize("text", [str(2**63), str(-(2**63) - 1), "9" * 19, "9" * 400, "1234567890123456788.5"])
def test_no_other_integer_is(text: str) -> None:
    assert INTEGER(text) == (text, [])


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_read_from_its_shortest_text_and_from_17_digits(number: float) -> None:
    for text in (repr(number), f"{number:.17g}", f"{number:.16e}"):
        assert NUMBER(text) == (number, ["number"])


@pytest.mark.parametrize(("text", "number"), [("9.50000000000000000000", 9.5), ("000000000000000000001.5", 1.5)])
def test_zeros_that_say_nothing_are_no_digits(text: str, number: float) -> None:
    assert NUMBER(text) == (number, ["number"])


@pytest.mark.parametrize("text", ["12345678901234567", "0.30000000000000000001", "1e400", "1e-400", "1" * 400, "1e" + "9" * 50])
def test_a_text_that_no_float_has_stays_text(text: str) -> None:
    assert NUMBER(text) == (text, [])


@pytest.mark.parametrize(("name", "number"), [("order_id", 1_234_567_890_123_456_789), ("price", 0.30000000000000004)])
def test_a_record_with_a_number_as_text_is_repaired_to_that_number(name: str, number: float) -> None:
    verdict = judge_of("built-in", "orders").judge(encoded(order(**{name: str(number)})), AS_OF)
    assert verdict.values is not None
    assert (verdict.values[name], verdict.repairs) == (number, (f"{name}.number",))
