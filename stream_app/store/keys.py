"""Every Redis key of Headrace, by name: no other module spells one."""

from __future__ import annotations

from dataclasses import dataclass

from stream_app.counts.fields import Distinct
from stream_app.windows.grain import Grain

#: Newest-first lists are cut to these lengths.
FINDINGS_KEPT = 1_000
CLEAN_KEPT = 500


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys under one prefix; one method a key."""

    prefix: str

    def contracts(self) -> str:
        """Hash: entity → JSON summary of its contract."""
        return f"{self.prefix}:contracts"

    def total(self, entity: str) -> str:
        """Hash of all-time integers of one entity."""
        return f"{self.prefix}:total:{entity}"

    def window(self, entity: str, grain: Grain, start: int) -> str:
        """Hash of one window's integers; ``start`` in epoch seconds."""
        return f"{self.prefix}:win:{entity}:{grain.value}:{start}"

    def windows(self, entity: str, grain: Grain) -> str:
        """Sorted set of the starts of the windows that are kept (score = member = start)."""
        return f"{self.prefix}:wins:{entity}:{grain.value}"

    def sketch(self, entity: str, what: Distinct, grain: Grain, start: int) -> str:
        """HyperLogLog of the distinct customers or orders among one window's clean records."""
        return f"{self.prefix}:hll:{entity}:{what}:{grain.value}:{start}"

    def distinct(self, entity: str, what: Distinct) -> str:
        """Set of all distinct customers or orders ever."""
        return f"{self.prefix}:set:{entity}:{what}"

    def references(self, entity: str) -> str:
        """Hash: id of a known clean record of a referenced entity → "1"."""
        return f"{self.prefix}:ref:{entity}"

    def unique(self, entity: str, rule: str) -> str:
        """Hash: id → the source that holds it."""
        return f"{self.prefix}:uniq:{entity}:{rule}"

    def applied(self) -> str:
        """Hash: ``topic/topic id/partition`` → last applied offset."""
        return f"{self.prefix}:applied"

    def decided(self, applied_field: str) -> str:
        """Hash: offset → what was decided about its keys, kept from the look-up until the batch is applied."""
        return f"{self.prefix}:decided:{applied_field}"

    def learned(self, entity: str, rule: str, week: int) -> str:
        """Hash: ``group|bucket`` → how often, among clean records of one week (since the epoch) of event time."""
        return f"{self.prefix}:learned:{entity}:{rule}:{week}"

    def learned_weeks(self, entity: str, rule: str) -> str:
        """Hash: week → "1" for each week that something was learned in."""
        return f"{self.prefix}:learned:{entity}:{rule}"

    def baseline(self, entity: str) -> str:
        """Hash: ``version`` and ``document`` (JSON) of what is usual; ``learned`` values ever, ``from`` and up to which
        ``week`` the version was made of."""
        return f"{self.prefix}:baseline:{entity}"

    def baseline_turn(self, entity: str) -> str:
        """String with an expiry: there while a worker makes a new version of what is usual."""
        return f"{self.prefix}:baseline-turn:{entity}"

    def segments(self, entity: str, field: str) -> str:
        """Set of the values that a segment field is counted by; the rest is counted under OTHER."""
        return f"{self.prefix}:seg:{entity}:{field}"

    def waiting(self, entity: str) -> str:
        """Hash: ``partition:offset`` of a record that waits for its reference data → JSON."""
        return f"{self.prefix}:waiting:{entity}"

    def delivery(self, entity: str, token: str) -> str:
        """String with an expiry: JSON list of the waiting records that the transaction of this token delivers."""
        return f"{self.prefix}:delivery:{entity}:{token}"

    def findings(self) -> str:
        """List of recent findings, newest first."""
        return f"{self.prefix}:findings"

    def clean(self, entity: str) -> str:
        """List of recent clean records, personal fields masked, newest first."""
        return f"{self.prefix}:clean:{entity}"

    def workers(self) -> str:
        """Hash: worker id → JSON heartbeat."""
        return f"{self.prefix}:workers"

    def input(self) -> str:
        """String: "closed" when the producers are done for good."""
        return f"{self.prefix}:input"

    def monitor(self, entity: str, grain: Grain) -> str:
        """Hash: ``at``, the start of the last window that the monitor looked at, and its ``state`` (JSON)."""
        return f"{self.prefix}:monitor:{entity}:{grain.value}"

    def monitor_lease(self) -> str:
        """String with an expiry: the worker that looks at the windows."""
        return f"{self.prefix}:monitor-lease"

    def incidents(self) -> str:
        """Hash: incident id → JSON. ``incidents:by-start`` is the sorted set of their ids."""
        return f"{self.prefix}:incidents"

    def tell(self, box: str) -> str:
        """List of the changes of incidents, oldest first, that have not been sent to the ``topic`` or to ``people``."""
        return f"{self.prefix}:tell:{box}"

    def told(self, hour: int) -> str:
        """Integer with an expiry: messages sent to people in an hour since the epoch."""
        return f"{self.prefix}:told:{hour}"

    def report(self, report_id: str) -> str:
        """String: a report as JSON."""
        return f"{self.prefix}:report:{report_id}"

    def reports(self) -> str:
        """Sorted set of the ids of the reports that are kept, by the end of their period (s)."""
        return f"{self.prefix}:reports"

    def report_claim(self, report_id: str) -> str:
        """String with an expiry: the token of the reporter that is writing this report."""
        return f"{self.prefix}:report-claim:{report_id}"

    def reports_unannounced(self) -> str:
        """Set of the ids of reports that are published here and not yet on the topic."""
        return f"{self.prefix}:reports-unannounced"

    def report_counters(self) -> str:
        """Hash: what the reporter counts → number."""
        return f"{self.prefix}:report-counters"

    def report_spent(self, day: str) -> str:
        """Hash of a day (``2026-11-23``, UTC): ``tokens`` and ``cost`` (millionths) spent on the model."""
        return f"{self.prefix}:report-spent:{day}"

    def report_failures(self) -> str:
        """String: calls to the model that failed in a row."""
        return f"{self.prefix}:report-failures"

    def report_circuit(self) -> str:
        """String with an expiry: there while no reporter calls the model."""
        return f"{self.prefix}:report-circuit"


def applied_field(topic: str, topic_id: str, partition: int) -> str:
    """The field of ``Keys.applied`` for a partition. ``topic_id``: empty where the broker gives topics no ids."""
    return f"{topic}/{topic_id}/{partition}"


def waiting_field(partition: int, offset: int, topic_id: str) -> str:
    """The field of ``Keys.waiting`` for a raw record. ``topic_id``: empty where the broker gives topics no ids."""
    return f"{partition}:{offset}:{topic_id}" if topic_id else f"{partition}:{offset}"
