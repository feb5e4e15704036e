"""Topics that the user may not read: each stops its entity, is asked for again every few seconds, and then goes on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping

from stream_app.failures import classify, name_of
from stream_app.worker.health import Health

log = logging.getLogger("headrace.worker")
#: Seconds until a topic is read again, and for which it must be readable then to be cured. (A client raises what it has been
#: answered in the meantime once more.)
_AGAIN, _CURED = 5.0, 3.0


class UnreadableTopics:
    """The topics that may not be read at the moment. ``entities``: topic → entity."""

    def __init__(self, health: Health, entities: Mapping[str, str]) -> None:
        self._health, self._entities = health, entities
        self._again: dict[str, float] = {}
        self._lock = threading.Lock()

    def refuse(self, error: BaseException) -> bool:
        """Note the topics that an error names; False if it names none. Called from any thread."""
        if type(error).__name__ != "TopicAuthorizationFailedError":
            return False
        names = {name for argument in error.args for name in ([argument] if isinstance(argument, str) else argument)}
        topics = names & self._entities.keys()
        with self._lock:
            for topic in topics:
                text = f"could not read {topic}: {name_of(error)}: {classify(error).text}"
                if topic not in self._again:
                    log.error(
                        "%s: stopped, %s; tried again every %.0f s, the other entities go on",
                        self._entities[topic],
                        text,
                        _AGAIN,
                    )
                self._again[topic] = time.monotonic() + _AGAIN
                self._health.trouble((self, topic), self._entities[topic], text, stopped=True)
        return bool(topics)

    def topics(self) -> set[str]:
        """Return the topics not to read now."""
        if not self._again:
            return set()
        now = time.monotonic()
        with self._lock:
            for topic in [topic for topic, again in self._again.items() if now > again + _CURED]:
                del self._again[topic]
                if self._health.recovered((self, topic)):
                    log.warning("%s: recovered (read %s)", self._entities[topic], topic)
            return {topic for topic, again in self._again.items() if now < again}
