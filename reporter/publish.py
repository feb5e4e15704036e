"""Tells the world of a report: the Kafka topic ``reports``, and whoever else wants to hear."""

from __future__ import annotations

import contextlib
from typing import Protocol

from kafka import KafkaProducer, errors  # type: ignore[import-untyped]
from kafka.admin import NewTopic  # type: ignore[import-untyped]

from reporter.render import markdown_text
from stream_app.errors import DeliveryError
from stream_app.kafka.admin import admin_client
from stream_app.kafka.options import CONNECT_SECONDS, connection_problem, sync_producer_options
from stream_app.names import reports_topic
from stream_app.notify import Notifier
from stream_app.settings import Settings
from stream_app.store.reports import StoredReport

#: Seconds a report may take to be acknowledged.
SEND_SECONDS = 15.0


class Channel(Protocol):
    """Where a report is announced. ``send`` returns once it is there, and raises HeadraceError when it is not.

    Channels hear of a report in order; after one that raises, all of them hear of it again later.
    """

    def send(self, report: StoredReport) -> None: ...


class People:
    """The notification channels (see ``stream_app.notify``): headline, summary and recommendations. Never raises."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier

    def send(self, report: StoredReport) -> None:
        """Tell each channel once, with the retries that it has."""
        sections = {section["key"]: section for section in report.report["sections"]}
        lines = [f"**{markdown_text(report.report['headline']['text'])}**"]
        for key in ("summary", "recommendations"):
            section = sections[key]
            lines += ["", f"**{markdown_text(section['title'])}**", ""]
            lines += [f"- {markdown_text(item['text'])}" for item in section["items"]]
        period = f"{report.facts['period.start']['rendering']} – {report.facts['period.end']['rendering']}"
        self._notifier.send(f"{report.report['title']}: {period}", "\n".join(lines), markdown=True)


class ReportsTopic:
    """The topic ``<prefix>reports``: key = the report's id, value = the stored report as JSON, acknowledged by all."""

    def __init__(self, settings: Settings, connect_seconds: float = CONNECT_SECONDS) -> None:
        self._settings = settings
        self._connect_seconds = connect_seconds
        self._topic = reports_topic(settings.topic_prefix)

    def send(self, report: StoredReport) -> None:
        """Raises DeliveryError when no broker takes it."""
        settings = self._settings
        try:
            self._ensure()
            producer = KafkaProducer(**sync_producer_options(settings, SEND_SECONDS, self._connect_seconds))
        except errors.KafkaError as error:
            raise connection_problem(settings, error) from None
        try:
            producer.send(self._topic, report.to_json().encode(), report.id.encode()).get(timeout=SEND_SECONDS)
        except errors.KafkaError as error:
            raise DeliveryError(
                f"report {report.id} was not taken by topic {self._topic} at {settings.kafka} ({type(error).__name__}); "
                "it is kept in Redis and sent with the next one"
            ) from None
        finally:
            producer.close(timeout=2)

    def _ensure(self) -> None:
        with admin_client(self._settings, self._connect_seconds) as admin, contextlib.suppress(errors.TopicAlreadyExistsError):
            if self._topic not in admin.list_topics():
                admin.create_topics([NewTopic(self._topic, 1, self._settings.replication)])
                admin.wait_for_topics([self._topic])
