"""The status line of every page: the worst of the last 24 hours of the stream, with a link, or that all is normal."""

from __future__ import annotations

from dashboard import data
from dashboard.parts.causes import PAGE, link
from dashboard.text import formats, markup
from stream_app.views.incidents import Status
from stream_app.views.pulse import Pulse


def status_line(pulse: Pulse) -> None:
    """Draw the line; nothing if incidents cannot be read."""
    status = data.status()
    if not isinstance(status, data.Down):
        planned = data.planned()
        now = (pulse.stream_ms or 0) // 1_000
        events = () if isinstance(planned, data.Down) else [one for one in planned if one.start <= now < one.end]
        words: list[markup.Part] = []
        for one in events:
            words += [" · planned: ", markup.data(one.name), f" ({one.kind}) until {formats.moment(one.end * 1_000)}"]
        markup.show(markup.tag("p", *parts(status, pulse.currency), *words, cls="status"))


def parts(status: Status, currency: str | None) -> list[markup.Part]:
    """Return the line as markup: it says that all is normal only where nothing was otherwise."""
    until = judged(status)
    if status.worst is None:
        if status.until is None:
            return [markup.pill("not watched yet"), " ", until]
        if status.behind:
            return [markup.pill("behind"), " ", f"No {_other(status)}incident so far in the last 24 h, but {until}"]
        if status.settled:
            settled = "1 incident is settled" if status.settled == 1 else f"{status.settled} incidents are settled"
            link_ = markup.tag("a", f"{settled}, of the last 24 h", href=PAGE, target="_self")
            return [markup.pill("nothing to do", "good"), " ", link_, markup.tag("span", f" · {until}", cls="quiet")]
        return [markup.pill("all normal", "good"), " ", f"No incident in the last 24 h; {until}"]
    worst = status.worst
    parts: list[markup.Part] = [markup.pill(worst.severity, worst.severity), " ", link(worst, currency)]
    others = status.causes - 1
    if others:
        parts += [" · ", markup.tag("a", f"{others} more in 24 h", href=PAGE, target="_self")]
    return [*parts, markup.tag("span", f" · {until}", cls="quiet")]


def _other(status: Status) -> str:
    return "other " if status.settled else ""


def judged(status: Status) -> str:
    """Return up to when the monitor has judged windows."""
    if status.until is None:
        return "no window has been judged for anomalies yet"
    behind = "the monitor is behind: " if status.behind else ""
    return f"{behind}judged until {formats.moment(status.until * 1_000)}"
