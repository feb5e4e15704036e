"""Builds a reporter from the settings."""

from __future__ import annotations

import time

from reporter.author import Author, ModelAuthor, TemplateAuthor
from reporter.limits import LimitedCall
from reporter.publish import Channel, People, ReportsTopic
from reporter.service import Reporter
from stream_app.notify import Notifier
from stream_app.settings import Settings
from stream_app.store.connection import connect
from stream_app.store.reports import ReportStore


def reporter_of(settings: Settings, *, topic: bool = True) -> Reporter:
    """Build a reporter on the Redis, Kafka and model of the settings; nothing is sent until a report is written."""
    store = ReportStore(connect(settings), settings.redis_prefix)
    channels: list[Channel] = [ReportsTopic(settings)] if topic else []
    notifier = Notifier.of(settings.notify)
    if notifier:
        channels.append(People(notifier))
    return Reporter(settings, author_of(settings, store), channels, store=store)


def author_of(settings: Settings, store: ReportStore) -> Author:
    """Return the model with its gate and limits if the settings name one, else the template."""
    if settings.llm_model is None:
        return TemplateAuthor()
    # The client is slow to import, so it is imported only if there is a model.
    from reporter.call import Endpoint  # noqa: PLC0415

    endpoint = Endpoint(settings.llm_base_url, settings.llm_model, settings.llm_key)

    def deadline() -> Deadline:
        return Deadline(settings.llm_timeout)

    return ModelAuthor(LimitedCall(endpoint, store, settings), deadline)


class Deadline:
    """Returns the seconds that are left when called."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def __call__(self) -> float:
        """Return the seconds that are left; negative when the time is up."""
        return self._until - time.monotonic()
