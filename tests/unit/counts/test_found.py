"""The newest findings of each rule, hour and day: bounded, none driven out by another rule."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from stream_app.counts.found import IN_WINDOW, FoundByWindow, found_of
from stream_app.windows.as_of import UNKNOWN
from stream_app.windows.grain import Grain

AT = 1_700_000_000_000
ROWS = st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(AT - 4 * 86_400_000, AT) | st.just(UNKNOWN)), max_size=200)


@given(ROWS)
def test_each_window_has_the_newest_findings_of_its_rule_and_no_other(rows: list[tuple[str, int]]) -> None:
    kept = FoundByWindow()
    hours: dict[tuple[str, int, bool], list[str]] = defaultdict(list)
    for index, (rule, ms) in enumerate(rows):
        kept.add(rule, f"orders:0:{index}", ms, {})
        hours[rule, Grain.HOUR.start((AT if ms == UNKNOWN else ms) // 1_000), ms == UNKNOWN].append(f"orders:0:{index}")

    found: dict[tuple[str, int], set[str]] = defaultdict(set)
    for rule, grain, start, written in kept.encoded(AT):
        assert 0 < len(written) <= IN_WINDOW
        for one in found_of(written):
            assert grain.start(one.order // 1_000) == start
            if grain is Grain.HOUR:
                found[rule, start].add(one.source)
    for (rule, start, _), sources in hours.items():
        if sum(len(more) for key, more in hours.items() if key[:2] == (rule, start)) <= IN_WINDOW:
            assert set(sources) <= found[rule, start]
        assert sources[-1] in found[rule, start]


def test_what_is_stored_and_cannot_be_read_is_left_out() -> None:
    assert found_of([b"{", b'["orders:0:1", 99999999999999999, null, {}]', b'["orders:0:2", null, 5, {}]']) == found_of(
        [b'["orders:0:2", null, 5, {}]']
    )
