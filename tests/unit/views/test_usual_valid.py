"""The usual share of valid records: a recount of the same hours in earlier weeks, without those of incidents."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.store.queries import HourlyVerdicts
from stream_app.views.usual import FEWEST_WEEKS, MOST_WEEKS
from stream_app.views.usual_valid import usual_valid
from tests.unit.views.test_usual import HOUR, NOW, WEEK, incident

PERIOD = (NOW, NOW + 2 * HOUR)


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["orders", "customers"]), st.integers(1, MOST_WEEKS), st.integers(0, 1)),
        st.tuples(st.integers(0, 90), st.integers(0, 90), st.integers(0, 90)),
    ),
    st.sets(st.tuples(st.integers(1, MOST_WEEKS), st.integers(0, 1)), max_size=6),
    st.integers(0, MOST_WEEKS),
)
def test_it_is_the_share_over_the_calm_hours(
    rows: dict[tuple[str, int, int], tuple[int, int, int]], disturbed: set[tuple[int, int]], age: int
) -> None:
    rows = {of: (clean, rejected, min(clean, warned)) for of, (clean, rejected, warned) in rows.items()}
    found = {(entity, NOW - back * WEEK + hour * HOUR): HourlyVerdicts(*row) for (entity, back, hour), row in rows.items()}
    starts = [NOW - back * WEEK + hour * HOUR for back, hour in disturbed]
    incidents = [incident(at, at + HOUR, "conformity") for at in starts]
    shares = {}
    for entity in ("orders", "customers"):
        calm = {
            of: row
            for of, row in rows.items()
            if of[0] == entity and of[1] <= age and row[0] + row[1] > 0 and not (entity == "orders" and of[1:] in disturbed)
        }
        if len({back for _, back, _ in calm}) >= FEWEST_WEEKS:
            judged = sum(clean + rejected for clean, rejected, _ in calm.values())
            shares[entity] = sum(clean - warned for clean, _, warned in calm.values()) / judged
    expected = (3 * shares["orders"] + shares["customers"]) / 4 if len(shares) == 2 else None

    weights = {"orders": 30.0, "customers": 10.0, "products": 0.0}
    assert usual_valid(weights, PERIOD, NOW - age * WEEK, found, incidents) == pytest.approx(expected)


def test_an_incident_of_how_much_was_sold_leaves_nothing_out() -> None:
    found = {("orders", NOW - back * WEEK): HourlyVerdicts(9, 1, 0) for back in range(1, 4)}

    assert usual_valid({"orders": 1.0}, PERIOD, 0, found, [incident(NOW - WEEK, NOW, "volume")]) == pytest.approx(0.9)
    assert usual_valid({"orders": 1.0}, PERIOD, 0, found, [incident(NOW - WEEK, NOW, "finding:a.b")]) is None
