"""Names of topics and headers that producers, workers and subscribers share."""

from __future__ import annotations

from dataclasses import dataclass

#: ``topic:partition:offset`` of the raw record of a clean or dead-letter record.
SOURCE = "headrace.source"
#: Id and version of the contract that judged the record, ``id:version``.
CONTRACT = "headrace.contract"
#: JSON list of the findings that rejected a dead-letter record.
FINDINGS = "headrace.findings"
#: JSON list of the findings of a clean record (warnings and infos).
WARNINGS = "headrace.warnings"
#: JSON list of the changes that cleaning made, ``field.step``.
REPAIRS = "headrace.repairs"
#: On a clean record: JSON list of the names of fields that the contract does not declare, which cleaning took away.
UNKNOWN = "headrace.unknown"
#: Number of times that the record has been judged: 1 at first, more after a redrive.
ATTEMPTS = "headrace.attempts"
#: On a record that was sent again: ``topic:partition:offset`` of the raw record that was rejected before.
REDRIVE = "headrace.redrive"
#: On the anomalies topic: ``open`` or ``closed``.
INCIDENT_STATE = "headrace.incident.state"
#: On a pending record: the id (KIP-516) of its raw topic, if the broker gives topics ids.
TOPIC_ID = "headrace.topic_id"
#: As-of time, the moment for which the record is judged: milliseconds since the epoch, decimal. A replay sets it to event time.
AS_OF = "headrace.as_of"
#: On a record that came after the windows of its time were final: the end of the final windows, in ms since the epoch.
LATE = "headrace.late"
#: On a dead-letter record that was cut: the size of its value in bytes, of its key, and the number of headers left out.
TRUNCATED = "headrace.truncated"
TRUNCATED_KEY = "headrace.truncated.key"
TRUNCATED_HEADERS = "headrace.truncated.headers"
#: On a dead-letter record that holds a batch that cannot be read, or a part of one: JSON with its base and last offset, the
#: reason, the part's number and the number of parts.
UNREADABLE = "headrace.unreadable"
#: On a dead-letter record whose raw record has neither key nor value.
NULL_VALUE = "headrace.null"
#: On a record without a key whose topic is compacted: its source is its key, because the topic takes none without.
NULL_KEY = "headrace.null.key"
#: On a record whose timestamp its topic does not take: that timestamp (ms); the record has the time of its delivery.
TIMESTAMP = "headrace.timestamp"


@dataclass(frozen=True, slots=True)
class Topics:
    """The four topics of one entity. ``prefix`` separates shops on one cluster."""

    entity: str
    prefix: str = ""

    @property
    def raw(self) -> str:
        """Topic that producers write."""
        return f"{self.prefix}{self.entity}"

    @property
    def clean(self) -> str:
        """Topic of the records that keep the contract."""
        return f"{self.raw}.clean"

    @property
    def dead_letter(self) -> str:
        """Topic of rejected records, byte for byte, with the findings as a header."""
        return f"{self.raw}.dlq"

    @property
    def pending(self) -> str:
        """Topic of the records that wait for a record they refer to."""
        return f"{self.raw}.pending"

    @property
    def all(self) -> tuple[str, str, str, str]:
        """The four, in this order."""
        return self.raw, self.clean, self.dead_letter, self.pending


def reports_topic(prefix: str = "") -> str:
    """Return the topic of executive reports: key = the report's id, value = its JSON."""
    return f"{prefix}reports"


def acts_topic(prefix: str = "") -> str:
    """Return the topic of people's acts on incidents: key = the act's id, value = its JSON."""
    return f"{prefix}anomalies.acts"


def anomalies_topic(prefix: str = "") -> str:
    """Return the topic of incidents: key = the incident's id, value = its JSON."""
    return f"{prefix}anomalies"
