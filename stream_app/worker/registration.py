"""The registration of a record that waits, in the store."""

from __future__ import annotations

import json

from stream_app.judge import Verdict
from stream_app.judge.lookups import lookup_rule_ids


def registration(now_ms: int, verdict: Verdict, at: int) -> str:
    """Return the document under ``Keys.waiting``.

    Args:
        now_ms: since when the record waits.
        verdict: keeps the rules that judging it again would not find broken.
        at: the record stands in the pending topic at this offset, or after it.
    """
    return json.dumps({"since": now_ms, "decision": None, "rules": lookup_rule_ids(verdict), "at": at})
