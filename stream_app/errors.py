"""The exception tree: everything that Headrace raises for its user to cure.

HeadraceError
├── SettingsError    a HEADRACE_* variable cannot be used
├── DocumentError    a contract or sources file is wrong: ``file:line: what; what to do``
├── SourceError      a file or API that producers read: missing, unreadable, refused
├── DeliveryError    Kafka did not take what was sent
├── StoreError       Redis is unreachable or is not ours
└── EmbeddedError    an embedded service did not start
"""

from __future__ import annotations


class HeadraceError(Exception):
    """A problem with a place, a cause and a cure in its message, and never a customer's value."""


class SettingsError(HeadraceError):
    """A setting has a value that cannot be used; the message names the variable and the fix."""


class DocumentError(HeadraceError):
    """A YAML file that cannot be used. The message reads ``file:line: what is wrong; what to do``."""


class SourceError(HeadraceError):
    """A source that producers cannot read."""


class DeliveryError(HeadraceError):
    """The broker did not take what was sent, and retrying did not cure it."""


class StoreError(HeadraceError):
    """Redis cannot be reached or does not answer as expected."""


class EmbeddedError(HeadraceError):
    """An embedded service did not start or stopped by itself."""
