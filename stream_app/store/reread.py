"""Hashes of counters that are read again: what was parsed is used again while a hash is the same, field by field."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import msgspec

from stream_app.counts.fields import Counts
from stream_app.store.connection import parsed

#: Fields of all hashes that are kept: about 150 bytes each with what was parsed of them.
FIELDS_KEPT = 200_000


class Reread:
    """Parses the hashes of one store. A hash is compared as a whole, so a late record or a restore cannot go unseen."""

    def __init__(self, most: int = FIELDS_KEPT) -> None:
        self._most = most
        self._lock = threading.Lock()
        #: Key and whether segments were parsed → the hash in a packed form, its number of fields, and what was parsed; the one
        #: read longest ago first.
        self._known: dict[tuple[str, bool], tuple[bytes, int, Counts]] = {}
        self.fields = 0

    def parsed(self, key: str, raw: Mapping[Any, Any], *, segments: bool) -> Counts:
        """Return ``connection.parsed``, the same object as before if the hash under ``key`` has not changed.

        Raises:
            StoreError: a field does not hold an integer.
        """
        try:
            packed = msgspec.msgpack.encode(raw)
        except UnicodeEncodeError:  # half a surrogate pair in the name of a field: it is parsed each time
            return parsed(key, raw, segments=segments)
        of = (key, segments)
        with self._lock:
            known = self._known.get(of)
        counts = known[2] if known is not None and known[0] == packed else parsed(key, raw, segments=segments)
        with self._lock:
            if (before := self._known.pop(of, None)) is not None:
                self.fields -= before[1]
            self._known[of] = (packed, len(raw), counts)
            self.fields += len(raw)
            while self.fields > self._most:
                self.fields -= self._known.pop(next(iter(self._known)))[1]
        return counts
