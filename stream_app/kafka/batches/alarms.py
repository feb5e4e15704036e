"""Notice, in the answers to fetches, that a topic is not the one that was read so far.

aiokafka fetches by name (below version 13 of Fetch): a topic that was deleted and created again answers as if it were the
old one, from whatever offset it is asked for. The old one's end is noticed, though: between the two, fetches fail, or the
end of the log goes back. From then on the topic is in doubt, and none of its records are handed on until somebody has asked
for its id.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from faust.types import TP

#: The API key of Fetch, and its error for an offset that the log does not have (any more).
_FETCH, _OUT_OF_RANGE = 1, 1


def _nobody() -> None:
    """Notify nobody."""


class FetchAlarms:
    """Topics in doubt, and offsets that a fetch asked for in vain. Written by the consumer's thread, read by the worker's.

    Attributes:
        notify: called in the consumer's thread, with each answer that raises a doubt.
    """

    def __init__(self) -> None:
        self.notify: Callable[[], None] = _nobody
        self._lock = threading.Lock()
        #: Topic → number of the last answer that raised a doubt.
        self._doubted: dict[str, int] = {}
        self._number = 0
        self._out_of_range: dict[TP, int] = {}
        self._ends: dict[TP, int] = {}

    def doubted(self) -> set[str]:
        """Return the topics in doubt."""
        return set(self._doubted) if self._doubted else set()

    def raised(self) -> dict[str, int]:
        """Return the topics in doubt, each with the number of the answer that raised it: see ``settle``."""
        with self._lock:
            return dict(self._doubted)

    def settle(self, topic: str, number: int) -> None:
        """End the doubt about a topic that was raised by the answer ``number`` or an earlier one."""
        with self._lock:
            if self._doubted.get(topic, number + 1) <= number:
                del self._doubted[topic]

    def doubt(self, topic: str) -> None:
        """Raise a doubt about a topic."""
        with self._lock:
            self._number += 1
            self._doubted[topic] = self._number

    def out_of_range(self) -> dict[TP, int]:
        """Return partition → offset that a fetch asked for, and that the log does not have."""
        with self._lock:
            return dict(self._out_of_range)

    def explained(self, tp: TP, offset: int) -> None:
        """Forget an offset that was out of range."""
        with self._lock:
            if self._out_of_range.get(tp) == offset:
                del self._out_of_range[tp]

    def forget(self, topics: set[str]) -> None:
        """Forget what is known of topics that were created again."""
        with self._lock:
            for known in (self._out_of_range, self._ends):
                for tp in [tp for tp in known if tp.topic in topics]:
                    del known[tp]

    def watch(self, client: Any) -> None:
        """Look at the answers to all fetches of one of aiokafka's clients."""
        original = client.send

        async def send(node_id: Any, request: Any, **options: Any) -> Any:
            response = await original(node_id, request, **options)
            if getattr(response, "API_KEY", None) == _FETCH:
                self.look_at(request, response)
            return response

        client.send = send

    def look_at(self, request: Any, response: Any) -> None:
        """Raise a doubt about each topic with a partition that failed, or whose end went back."""
        found = False
        for topic, partitions in response.topics:
            for partition, error, end, *_ in partitions:
                tp = TP(topic, partition)
                if error == 0 and end >= self._ends.get(tp, 0):
                    self._ends[tp] = end
                    continue
                found = True
                if error == 0:
                    self._ends[tp] = end
                elif error == _OUT_OF_RANGE:
                    offset = _asked_for(request, tp)
                    if offset is not None:
                        with self._lock:
                            self._out_of_range[tp] = min(offset, self._out_of_range.get(tp, offset))
                self.doubt(topic)
        if found:
            self.notify()


def _asked_for(request: Any, tp: TP) -> int | None:
    """Return the offset that a fetch asked for."""
    for topic, partitions in request.topics:
        if topic == tp.topic:
            for partition, offset, *_ in partitions:
                if partition == tp.partition:
                    return int(offset)
    return None
