"""The exception tree: every error that Headrace raises for its user to cure.

HeadraceError
├── SettingsError    a HEADRACE_* variable is not valid
├── DocumentError    a contract or sources file is not valid: ``file:line: problem; cure``
├── SourceError      a file or API that producers read is missing, unreadable or refuses
├── DeliveryError    Kafka did not accept records
│   ├── KafkaUnavailable    no broker answers for now, or none does what is asked; another attempt may succeed
│   └── RecordRefused       a topic refuses a record for good, in every form
├── StoreError       Redis cannot be reached, or holds something else
└── EmbeddedError    an embedded service did not start
"""

from __future__ import annotations


class HeadraceError(Exception):
    """A problem whose message says what is wrong, where, and what to do; it never contains a customer's value."""


class SettingsError(HeadraceError):
    """A setting is not valid; the message names the variable and the cure."""


class DocumentError(HeadraceError):
    """A YAML file is not valid; the message reads ``file:line: problem; cure``."""


class SourceError(HeadraceError):
    """Producers cannot read a source."""


class DeliveryError(HeadraceError):
    """The broker did not accept records, and retries did not help."""


class KafkaUnavailable(DeliveryError):
    """No broker answers, or none does what is asked at the moment. Another attempt may succeed."""

    passing = True


class RecordRefused(DeliveryError):
    """A topic refuses a record in every form that would keep it; the message names the record. Its entity stops."""

    scope = "entity"


class StoreError(HeadraceError):
    """Redis cannot be reached, or does not answer as expected."""


class EmbeddedError(HeadraceError):
    """An embedded service did not start or stopped by itself."""
