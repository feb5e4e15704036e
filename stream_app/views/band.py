"""One word for the quality of a range: good, watch or bad."""

from __future__ import annotations

from typing import Literal

from stream_app.counts.summary import Quality

Band = Literal["good", "watch", "bad"]
#: More invalid records than this many times what the target allows are bad.
BAD_TIMES = 2.0
#: More invalid records than this many times the usual are to be watched, although the target is kept,
WATCH_TIMES = 1.5
#: if they are also more by this share of the records.
WATCH_MORE = 0.002


def band_of(measured: Quality, usual: float | None, open_incidents: int) -> Band | None:
    """Return the band; None if no record was judged.

    Bad: more than twice as many records are invalid as the target allows. Watch: the target is missed, an incident is open, or
    clearly fewer records are valid than usual. Else good.

    Args:
        measured: of the range.
        usual: usual share of valid records; None if it is not known.
        open_incidents: incidents that are open.
    """
    if measured.valid is None:
        return None
    invalid, allowed = 1 - measured.valid, 1 - measured.target
    if invalid > BAD_TIMES * allowed + 1e-12:
        return "bad"
    if open_incidents or invalid > allowed + 1e-12:
        return "watch"
    if usual is not None and invalid > WATCH_TIMES * (1 - usual) and usual - measured.valid > WATCH_MORE:
        return "watch"
    return "good"
