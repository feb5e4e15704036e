"""Tombstones: records with a key and no value, which delete the record of that key.

The id that a tombstone deletes is its Kafka key, read as the field ``recordKey`` of the contract reads a value: Headrace's own
producers key each record by the text of that field. A key may also be JSON: a string or number, an object with that field, or
either of them in the ``payload`` of Kafka Connect's envelope.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from stream_app.judge.judge import Judge


def deleted_id(judge: Judge, key: bytes) -> str | None:
    """Return the id that a tombstone with this Kafka key deletes; ``None`` if the key names none."""
    name = judge.contract.key
    if name is None:
        return None
    try:
        text = key.decode()
    except UnicodeDecodeError:
        return None
    for candidate in _candidates(text, name):
        try:
            raw = json.dumps({name: candidate}).encode()
        except (ValueError, RecursionError):
            continue
        value = (judge.examine(raw, 0).values or {}).get(name)
        if value is not None:
            return str(value)
    return None


def _candidates(text: str, name: str) -> list[Any]:
    """Return what the key may mean, the likeliest first."""
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return [text]
    if isinstance(read, dict) and name not in read and "payload" in read:
        read = read["payload"]
    if isinstance(read, dict):
        return [read[name]] if name in read else []
    # The text comes first: "007" may be an id of its own. A quoted string is JSON.
    return [read] if isinstance(read, str) else [text, read]


def before_reuse(records: Sequence[Any], values: Sequence[bytes | None], *, any_key: bool) -> int:
    """Return how many records can be judged together: up to one that follows a tombstone of its key, or of ``any_key``.

    All look-ups of a batch come before all its changes, so that a record that reuses a deleted id has to be in a later batch.
    """
    gone: set[bytes] = set()
    for index, value in enumerate(values):
        key = records[index].key
        if value is None:
            if key is not None:
                gone.add(key)
        elif gone and (any_key or key in gone):
            return index
    return len(values)
