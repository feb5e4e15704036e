"""The integers by which sets have distinct values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream_app.store.cardinality import member_of


@given(st.lists(st.one_of(st.text(max_size=30), st.integers().map(str), st.from_regex(r"\A0*[0-9]{0,20}\Z")), unique=True))
def test_two_values_are_two_integers_of_64_bits(values: list[str]) -> None:
    members = [int(member_of(value)) for value in values]
    assert len({*members}) == len(values)
    assert all(0 <= member < 2**63 for member in members)


def test_an_integer_stays_as_it_is_and_a_text_does_not_depend_on_the_process() -> None:
    assert [member_of(one) for one in ("0", "7", "536365")] == ["0", "7", "536365"]
    assert member_of("C536379") == "6340010616693969983"
    assert member_of("007") != "7"
    assert member_of("²") != "²"
