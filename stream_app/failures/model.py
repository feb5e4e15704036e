"""A row of the table of failures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class Kind(StrEnum):
    """How long an error lasts."""

    #: It may be gone a moment later; the action is tried again.
    PASSING = "passing"
    #: It stays until somebody acts; nothing is tried again soon.
    PERMANENT = "permanent"
    #: A topic refuses one record, which has a fallback; the others are delivered.
    RECORD = "record"


class Scope(StrEnum):
    """The part that a permanent error stops."""

    #: The whole process: nothing works without the service.
    PROCESS = "process"
    #: One entity, whose topic or right it is. The other entities go on.
    ENTITY = "entity"
    #: One page, question or message.
    CALL = "call"


@dataclass(frozen=True, slots=True)
class Failure:
    """Errors that mean the same.

    Attributes:
        service: whose errors they are.
        meaning: completes "Kafka refuses: …".
        advice: what to do.
        errors: names of error classes, first words of Redis' replies, or HTTP statuses.
        phrases: parts of Redis' replies that have no first word of their own.
        said: names of topics or of a group that the error at hand mentions; never a customer's value.
    """

    service: str
    kind: Kind
    meaning: str
    advice: str
    errors: tuple[str, ...] = ()
    scope: Scope = Scope.PROCESS
    phrases: tuple[str, ...] = ()
    said: str = ""

    @property
    def text(self) -> str:
        """Meaning and advice, for a message."""
        meaning = f"{self.meaning} ({self.said})" if self.said else self.meaning
        return f"{meaning}; {self.advice}" if self.advice else meaning

    @property
    def permanent(self) -> bool:
        """True if nothing changes until somebody acts."""
        return self.kind is Kind.PERMANENT

    def about(self, said: str) -> Failure:
        """Return this row with the names that an error mentions."""
        return replace(self, said=said)
