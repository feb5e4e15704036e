"""Announces reports: on the Kafka topic ``reports``, and to people by the notification channels."""

from __future__ import annotations

import contextlib
from typing import Protocol

from kafka import KafkaProducer, errors
from kafka.admin import NewTopic

from reporter.render import markdown_text
from reporter.report import Report, SectionKey
from stream_app.errors import DeliveryError
from stream_app.failures import Kind, classify
from stream_app.kafka.admin import admin_client
from stream_app.kafka.diagnosis import connection_problem
from stream_app.kafka.options import CONNECT_SECONDS, sync_producer_options
from stream_app.names import reports_topic
from stream_app.notify import Notifier
from stream_app.settings import Settings
from stream_app.store.reports import StoredReport

#: Maximum seconds until Kafka acknowledges a report.
SEND_SECONDS = 15.0


class Channel(Protocol):
    """A channel on which reports are announced, one channel after the other.

    If one raises, the report is announced on all channels again later.
    """

    def send(self, report: StoredReport) -> None:
        """Announce a report; HeadraceError if it was not delivered."""


class People:
    """Notifications (see ``stream_app.notify``) with headline, summary and recommendations. Never raises.

    A provisional report notifies nobody: whoever asked for it has it, and the final one follows.
    """

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier

    def send(self, report: StoredReport) -> None:
        """Send one notification."""
        if report.provisional:
            return
        body = Report.from_dict(report.report)
        sections = {section.key: section for section in body.sections}
        lines = [f"**{markdown_text(body.headline.text)}**"]
        keys: tuple[SectionKey, ...] = ("summary", "recommendations")
        for key in keys:
            lines += ["", f"**{markdown_text(sections[key].title)}**", ""]
            lines += [f"- {markdown_text(item.text)}" for item in sections[key].items]
        period = f"{report.facts['period.start']['rendering']} – {report.facts['period.end']['rendering']}"
        self._notifier.send(f"{body.title}: {period}", "\n".join(lines), markdown=True)


class ReportsTopic:
    """The topic ``<prefix>reports``: the key is a report's id, the value the stored report as JSON, acknowledged by all."""

    def __init__(self, settings: Settings, connect_seconds: float = CONNECT_SECONDS) -> None:
        self._settings = settings
        self._connect_seconds = connect_seconds
        self._topic = reports_topic(settings.topic_prefix)

    def send(self, report: StoredReport) -> None:
        """Send a report; DeliveryError if no broker acknowledges it."""
        settings = self._settings
        try:
            self._ensure()
            producer = KafkaProducer(**sync_producer_options(settings, SEND_SECONDS, self._connect_seconds))
        except errors.KafkaError as error:
            raise connection_problem(settings, error) from None
        try:
            producer.send(self._topic, report.to_json().encode(), report.id.encode()).get(timeout=SEND_SECONDS)
        except errors.KafkaError as error:
            found = classify(error)
            cure = f": {found.text}" if found.kind is not Kind.PASSING else ""
            raise DeliveryError(
                f"report {report.id} was not acknowledged by topic {self._topic} at {settings.kafka} "
                f"({type(error).__name__}{cure}); it stays in Redis and is sent with the next report"
            ) from None
        finally:
            producer.close(timeout=2)

    def _ensure(self) -> None:
        with admin_client(self._settings, self._connect_seconds) as admin, contextlib.suppress(errors.TopicAlreadyExistsError):
            if self._topic not in admin.list_topics():
                admin.create_topics([NewTopic(self._topic, 1, self._settings.replication)])
                admin.wait_for_topics([self._topic])
