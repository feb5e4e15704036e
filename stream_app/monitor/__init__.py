"""Whether a window is what its history leads one to expect: windows in, incidents out. Pure: no Kafka, no Redis, no clock.

How to use it, one ``Monitor`` and one state an entity::

    monitor = Monitor(contract)                        # grain "h", usual tuning
    state = None                                       # nothing is known yet; afterwards a dict of JSON types
    for window in windows_of(tally.minutes, "h"):      # in order, each once, the empty ones included
        state, changes = monitor.step(state, window)
        for change in changes:
            change.kind                                # opened | continued | worse | closed
            change.incident                            # an Incident

``tally.minutes`` is what ``stream_app.counts.tally.Tally`` counts; a window read from Redis is
``Window(start, {hash field: integer})`` with ``start`` in seconds since the epoch. ``step`` takes the state over: the dict
passed in may not be used again. What is watched, and how, is told in ``docs/anomalies.md``.
"""

from stream_app.counts.window import HashWindow as Window
from stream_app.counts.window import hash_windows_of as windows_of
from stream_app.monitor.incident import Change, Incident
from stream_app.monitor.monitor import Monitor, State
from stream_app.monitor.tuning import Tuning
from stream_app.windows.watermark import final_until, stream_time

__all__ = ["Change", "Incident", "Monitor", "State", "Tuning", "Window", "final_until", "stream_time", "windows_of"]
