"""A segment value explains a deviation if it has most of it, and far more than its part."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from stream_app.contract.segments import NONE
from stream_app.counts.fields import Counts, SegmentCounts
from stream_app.monitor.segments import of_share, of_volume


def rejected(**values: tuple[int, int]) -> Counts:
    """Counts by country: (received, rejected)."""
    return Counts(
        segments={"country": {name: SegmentCounts(received, rejected=bad) for name, (received, bad) in values.items()}}
    )


def stands_out(counts: Counts, hits: int) -> tuple[str, str, float, float] | None:
    return of_share(counts, ("channel", "country"), hits, lambda one: one.rejected)


def test_a_share_is_explained_by_the_value_with_most_hits() -> None:
    assert stands_out(rejected(France=(100, 50), Japan=(300, 10)), 60) == ("country", "France", 0.5, 0.03333)
    assert stands_out(rejected(France=(100, 50), Japan=(100, 30), Spain=(100, 30)), 110) is None, "it has less than half"
    assert stands_out(rejected(France=(100, 50), Japan=(100, 50), Spain=(100, 0)), 100) == ("country", "France", 0.5, 0.25)
    assert stands_out(rejected(France=(100, 50), Japan=(99, 50)), 100) is None, "it is not twice as frequent there"
    assert stands_out(rejected(France=(100, 0), Japan=(100, 0)), 0) is None
    assert stands_out(rejected(France=(100, 50)), 50) is None, "there is no other value"
    assert stands_out(rejected(France=(0, 50), Japan=(100, 10)), 60) is None


def test_a_share_is_at_most_all_and_the_largest_difference_counts() -> None:
    assert stands_out(rejected(France=(10, 50), Japan=(100, 0)), 40) == ("country", "France", 1.0, 0.0)
    two = Counts(
        segments={
            "channel": {"app": SegmentCounts(200, rejected=60), "shop": SegmentCounts(200)},
            "country": {"Japan": SegmentCounts(100, rejected=60), "Spain": SegmentCounts(300)},
        }
    )
    assert stands_out(two, 60) == ("country", "Japan", 0.6, 0.0)
    assert of_share(two, ("country", "channel"), 60, lambda one: one.rejected) == ("country", "Japan", 0.6, 0.0)


def test_records_without_a_value_explain_nothing() -> None:
    counts = Counts(segments={"country": {NONE: SegmentCounts(100, rejected=60), "Japan": SegmentCounts(300)}})
    assert stands_out(counts, 60) is None
    usual = {NONE: 0.5, "Japan": 0.5}
    assert of_volume(Counts(segments={"country": {"Japan": SegmentCounts(50)}}), "country", usual, 100.0, 50.0) is None


USUAL = {"France": 0.5, "Japan": 0.3, "Spain": 0.2}


@pytest.mark.parametrize(
    ("found", "observed", "segment"),
    [
        ({"Japan": 30, "Spain": 20}, 50, ("country", "France", 0.0, 1.0)),
        ({"France": 10, "Japan": 30, "Spain": 20}, 60, ("country", "France", 0.2, 1.0)),
        ({"France": 150, "Japan": 30, "Spain": 20}, 200, ("country", "France", 3.0, 1.0)),
        # All are as far off, or the rest is more than half as far off.
        ({"France": 25, "Japan": 15, "Spain": 10}, 50, None),
        ({"France": 19, "Japan": 21, "Spain": 14}, 54, ("country", "France", 0.38, 0.7)),
        ({"France": 20, "Japan": 20, "Spain": 13}, 53, None),
        # Each has less than half of the loss.
        ({"France": 50, "Japan": 12, "Spain": 2}, 64, ("country", "Japan", 0.4, 0.7429)),
        # A value that goes the other way explains nothing.
        ({"France": 60, "Japan": 0, "Spain": 0}, 60, ("country", "Japan", 0.0, 0.8571)),
        ({"France": 50, "Japan": 30, "Spain": 20}, 100, None),
    ],
)
def test_volume_is_explained_by_the_value_with_most_of_the_change(
    found: Mapping[str, int], observed: float, segment: tuple[str, str, float, float] | None
) -> None:
    counts = Counts(segments={"country": {name: SegmentCounts(number) for name, number in found.items()}})
    assert of_volume(counts, "country", USUAL, 100.0, observed) == segment


def test_a_value_that_is_expected_to_have_all_or_nothing_explains_no_volume() -> None:
    counts = Counts(segments={"country": {"France": SegmentCounts(10)}})
    assert of_volume(counts, "country", {"France": 1.0}, 100.0, 10.0) is None
    assert of_volume(counts, "country", {"France": 0.0}, 100.0, 200.0) is None
