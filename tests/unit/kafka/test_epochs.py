"""A committed offset is of a worker and a topic, or was set by somebody else."""

from __future__ import annotations

import pytest

from stream_app.kafka.epochs import Committer, committer


@pytest.mark.parametrize(
    ("metadata", "topic_id", "expected"),
    [
        ("headrace", "", "worker"),
        ("headrace new", "new", "worker"),
        ("headrace new", "", "worker"),
        ("headrace", "new", "worker"),
        ("headrace old", "new", "former"),  # a worker has not yet heard that the topic was created again
        ("", "new", "somebody"),
        ("headraces new", "new", "somebody"),
    ],
)
def test_an_offset_is_of_a_worker_and_of_this_topic(metadata: str, topic_id: str, expected: Committer) -> None:
    assert committer(metadata, topic_id) == expected
