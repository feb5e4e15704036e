"""A committed offset is of a worker and a topic, or was set by somebody else."""

from __future__ import annotations

import pytest

from stream_app.kafka.epochs import by_worker


@pytest.mark.parametrize(
    ("metadata", "topic_id", "expected"),
    [
        ("headrace", "", True),
        ("headrace new", "new", True),
        ("headrace new", "", True),
        ("headrace", "new", True),
        ("headrace old", "new", False),  # a worker has not yet heard that the topic was created again
        ("", "new", False),
        ("headraces new", "new", False),
    ],
)
def test_an_offset_is_of_a_worker_and_of_this_topic(metadata: str, topic_id: str, *, expected: bool) -> None:
    assert by_worker(metadata, topic_id) is expected
