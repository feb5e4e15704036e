"""Every Redis key of Headrace, and every hash field that names a partition or a waiting record: no other module spells one.

Scripts get their keys as KEYS. Where a script alone knows the last part of a key, it gets the key's stem and appends that part.
"""

from __future__ import annotations

from dataclasses import dataclass

from stream_app.counts.fields import Distinct
from stream_app.windows.grain import Grain

#: Newest-first lists are cut to these lengths.
FINDINGS_KEPT = 1_000
CLEAN_KEPT = 500
#: Deleted ids that are listed for workers that may remember them; one that missed more starts its memory afresh.
DELETED_KEPT = 10_000
#: The value of ``Keys.input`` when the producers are done for good.
INPUT_CLOSED = "closed"


def applied_field(topic: str, topic_id: str, partition: int) -> str:
    """The field of ``Keys.applied`` for a partition of a raw topic; ``topic_id`` is empty where the broker gives none."""
    return f"{topic}/{topic_id}/{partition}"


def settled_field(topic: str, partition: int) -> str:
    """The field of ``Keys.applied`` for a partition of a pending topic.

    Its value ``clean dead_letter`` are the next offsets of these topics: what was delivered before them is counted.
    """
    return f"{topic}//{partition}"


def waiting_field(partition: int, offset: int, topic_id: str) -> str:
    """The field of ``Keys.waiting`` for the record at an offset of a raw topic; a topic without an id has an empty one."""
    return f"{partition}:{offset}:{topic_id}" if topic_id else f"{partition}:{offset}"


def waiting_format(topic_id: str) -> str:
    """The ``waiting_field`` of a raw topic's records, with ``%s`` for partition and offset."""
    return f"%s:%s:{topic_id.replace('%', '%%')}" if topic_id else "%s:%s"


def read_waiting_field(field: str) -> tuple[int, int, str]:
    """Return (partition, offset, topic id) of a ``waiting_field``; -1 for both numbers where it is not one."""
    partition, _, rest = field.partition(":")
    offset, _, topic_id = rest.partition(":")
    return (int(partition), int(offset), topic_id) if partition.isdigit() and offset.isdigit() else (-1, -1, "")


def found_windows_part(rule: str, grain: Grain) -> str:
    """Return the rest of ``Keys.found_windows`` behind ``Keys.found_stem``."""
    return f"{rule}:{grain.value}"


def found_part(rule: str, grain: Grain) -> str:
    """Return the rest of ``Keys.found`` behind ``Keys.found_stem``, without the start."""
    return f"{rule}:{grain.value}:"


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys under one prefix: one method per key, and one per stem that scripts complete."""

    prefix: str

    # --- ownership --------------------------------------------------------------------------------------------------

    def store(self) -> str:
        """Hash of the store as a whole: ``epoch``, ``state``, ``server``, ``serial``, ``owner``, ``reason``, ``since``."""
        return f"{self.prefix}:store"

    def restored(self) -> str:
        """Hash: ``applied_field`` of a partition that is level with the log in this epoch → "1"."""
        return f"{self.prefix}:restored"

    def restoring(self) -> str:
        """Hash: ``applied_field`` of a partition that is being restored → records that are counted again."""
        return f"{self.prefix}:restoring"

    def counted(self, applied_field: str) -> str:
        """Hash: number of a block of raw offsets → bits, set for what is counted ahead of the applied offset."""
        return f"{self.prefix}:counted:{applied_field}"

    def missing(self) -> str:
        """Hash: ``applied_field`` of a partition → JSON of the records that no topic has any more."""
        return f"{self.prefix}:missing"

    # --- counts -----------------------------------------------------------------------------------------------------

    def contracts(self) -> str:
        """Hash: entity → JSON summary of its contract."""
        return f"{self.prefix}:contracts"

    def total(self, entity: str) -> str:
        """Hash of all-time integers of one entity."""
        return f"{self.prefix}:total:{entity}"

    def window_stem(self, entity: str, grain: Grain) -> str:
        """Stem of ``window``, to be completed with its start."""
        return f"{self.prefix}:win:{entity}:{grain.value}:"

    def window(self, entity: str, grain: Grain, start: int) -> str:
        """Hash of one window's integers; ``start`` in epoch seconds."""
        return f"{self.window_stem(entity, grain)}{start}"

    def windows(self, entity: str, grain: Grain) -> str:
        """Sorted set of the starts of the windows that are kept (score = member = start)."""
        return f"{self.prefix}:wins:{entity}:{grain.value}"

    def sketch_stem(self, entity: str, what: Distinct, grain: Grain) -> str:
        """Stem of ``sketch``, to be completed with the window's start."""
        return f"{self.prefix}:hll:{entity}:{what}:{grain.value}:"

    def sketch(self, entity: str, what: Distinct, grain: Grain, start: int) -> str:
        """HyperLogLog of the distinct customers or orders among one window's clean records."""
        return f"{self.sketch_stem(entity, what, grain)}{start}"

    def members_stem(self, entity: str, what: Distinct, grain: Grain) -> str:
        """Stem of ``members``, to be completed with the window's start."""
        return f"{self.prefix}:ids:{entity}:{what}:{grain.value}:"

    def members(self, entity: str, what: Distinct, grain: Grain, start: int) -> str:
        """Set of the distinct customers or orders of one window (``cardinality.member_of``).

        It has only the member ``split`` once they are in the sets ``<this>/0`` to ``<this>/16``, and only ``many`` once they
        are too many to be kept.
        """
        return f"{self.members_stem(entity, what, grain)}{start}"

    def sizes(self, entity: str, what: Distinct, grain: Grain) -> str:
        """Sorted set of the starts of windows with distinct values, by start + their number ÷ 8,192.

        The number is 0 if only the window's sketch counts them.
        """
        return f"{self.members_stem(entity, what, grain)}sizes"

    def distinct(self, entity: str, what: Distinct) -> str:
        """Set of all distinct customers or orders ever, while there are at most ``DISTINCT_EXACT``."""
        return f"{self.prefix}:set:{entity}:{what}"

    def distinct_sketch(self, entity: str, what: Distinct) -> str:
        """HyperLogLog of all distinct customers or orders ever, once there are more."""
        return f"{self.prefix}:hll-ever:{entity}:{what}"

    def segments_stem(self, entity: str) -> str:
        """Stem of a set, to be completed with a segment field: the values that are counted; others count as OTHER."""
        return f"{self.prefix}:seg:{entity}:"

    def findings(self) -> str:
        """List of recent findings, newest first."""
        return f"{self.prefix}:findings"

    def found_stem(self, entity: str) -> str:
        """Stem of ``found_windows`` and ``found``, to be completed with rule and grain, and of ``found`` with the start."""
        return f"{self.prefix}:found:{entity}:"

    def found_windows(self, entity: str, rule: str, grain: Grain) -> str:
        """Sorted set of the starts of the windows in which findings of a rule are kept (score = member = start)."""
        return f"{self.found_stem(entity)}{found_windows_part(rule, grain)}"

    def found(self, entity: str, rule: str, grain: Grain, start: int) -> str:
        """List of the findings of a rule in one window, newest first; ``start`` in epoch seconds."""
        return f"{self.found_stem(entity)}{found_part(rule, grain)}{start}"

    def clean(self, entity: str) -> str:
        """List of recent clean records, personal fields masked, newest first."""
        return f"{self.prefix}:clean:{entity}"

    # --- batches ----------------------------------------------------------------------------------------------------

    def applied(self) -> str:
        """Hash: ``applied_field`` of a partition → ``Position`` as text; of a pending partition: → see ``settled_field``."""
        return f"{self.prefix}:applied"

    def clocks(self, entity: str) -> str:
        """Hash: ``applied_field`` of a partition → how far its time is, as ``windows.clock.PartitionClock`` writes it."""
        return f"{self.prefix}:clocks:{entity}"

    def lost(self) -> str:
        """Hash: ``applied_field`` of a partition of a raw or pending topic → JSON of what it lost (``losses.Loss``)."""
        return f"{self.prefix}:lost"

    def lookup_notes(self, applied_field: str) -> str:
        """Hash of what step 2 found of a partition's records, kept until step 4 applies them.

        ``rule|offset`` → 0 unique, 1 repeat, 2 contradiction; ``upto`` and ``notes``, what rules over other records found up
        to an offset.
        """
        return f"{self.prefix}:lookup-notes:{applied_field}"

    def references_stem(self) -> str:
        """Stem of ``references``, to be completed with the entity."""
        return f"{self.prefix}:ref:"

    def references(self, entity: str) -> str:
        """Hash: id of a clean record of an entity that others refer to → what is known of it ("1": nothing more)."""
        return f"{self.references_stem()}{entity}"

    def unique_stem(self, entity: str) -> str:
        """Stem of ``unique``, to be completed with the rule."""
        return f"{self.prefix}:uniq:{entity}:"

    def unique(self, entity: str, rule: str) -> str:
        """Hash: period → how its keys are stored.

        The hashes ``<this>/<period>`` and the strings ``<this>/<period>/<bucket>…``, which scripts/unique.lua alone names, have
        the owners (``judge.owners``).
        """
        return f"{self.unique_stem(entity)}{rule}"

    def expired_keys(self) -> str:
        """Set of ``<unique>/<period>`` whose keys do not count any more and are being removed."""
        return f"{self.prefix}:uniq-expired"

    def memory_seen(self) -> str:
        """Hash: hour since the epoch → bytes that Redis used then."""
        return f"{self.prefix}:memory-seen"

    def deleted(self, entity: str) -> str:
        """Sorted set of the ids of an entity that were deleted last, by the number of the deletion."""
        return f"{self.prefix}:deleted:{entity}"

    def owned(self, entity: str) -> str:
        """Hash: id of a record → MessagePack of (rule, key, owner) of its unique keys beside the id."""
        return f"{self.prefix}:owned:{entity}"

    def waiting(self, entity: str) -> str:
        """Hash: ``waiting_field`` of a record that waits for its reference data → JSON."""
        return f"{self.prefix}:waiting:{entity}"

    def delivery(self, entity: str, token: str) -> str:
        """String with an expiry: JSON list of the waiting records that the transaction of this token delivers."""
        return f"{self.prefix}:delivery:{entity}:{token}"

    # --- baselines --------------------------------------------------------------------------------------------------

    def learned_weeks(self, entity: str, rule: str) -> str:
        """Hash: week → "1" for each week with learned values."""
        return f"{self.prefix}:learned:{entity}:{rule}"

    def learned(self, entity: str, rule: str, week: int) -> str:
        """Hash: ``group|bucket`` → number of values, among clean records of one week (since the epoch) of event time."""
        return f"{self.learned_weeks(entity, rule)}:{week}"

    def baseline(self, entity: str) -> str:
        """Hash: ``version`` and ``document`` (JSON) of the baseline, and what they were made of.

        ``learned``: values in all; ``from``: the learned values that the version was made of; ``week``: the newest of them.
        """
        return f"{self.prefix}:baseline:{entity}"

    def baseline_turn(self, entity: str) -> str:
        """String with an expiry: exists while a worker makes a new version of the baseline."""
        return f"{self.prefix}:baseline-turn:{entity}"

    # --- workers ----------------------------------------------------------------------------------------------------

    def workers(self) -> str:
        """Hash: worker id → JSON heartbeat."""
        return f"{self.prefix}:workers"

    def input(self) -> str:
        """String: INPUT_CLOSED when the producers are done for good."""
        return f"{self.prefix}:input"

    def evictions(self) -> str:
        """Hash: ``run_id`` of the server and its ``evicted`` keys when the store was last known to be complete, and ``at``."""
        return f"{self.prefix}:evictions"

    # --- incidents --------------------------------------------------------------------------------------------------

    def monitor(self, entity: str, grain: Grain) -> str:
        """Hash: ``at``, the start of the last window that the monitor looked at, and its ``state`` (JSON).

        ``epoch`` of the store in which incidents were last restored, and up to which event time (s) changes were ``announced``
        before.
        """
        return f"{self.prefix}:monitor:{entity}:{grain.value}"

    def monitor_lease(self) -> str:
        """String with an expiry: the worker that runs the monitor."""
        return f"{self.prefix}:monitor-lease"

    def incidents(self) -> str:
        """Hash: incident id → JSON."""
        return f"{self.prefix}:incidents"

    def incidents_by_start(self) -> str:
        """Sorted set of the ids of the incidents that are kept, by the start of their first window (s)."""
        return f"{self.prefix}:incidents-by-start"

    def incident_acts(self) -> str:
        """Hash: ``<incident id>|<act id>`` → JSON of what a person said or did about the incident."""
        return f"{self.prefix}:incident-acts"

    def unsent(self, recipient: str) -> str:
        """List of the changes of incidents, oldest first, that are still to be sent to the ``topic`` or to ``people``."""
        return f"{self.prefix}:unsent:{recipient}"

    def messages_sent(self, hour: int) -> str:
        """Integer with an expiry: messages sent to people in an hour since the epoch."""
        return f"{self.prefix}:messages-sent:{hour}"

    # --- reports ----------------------------------------------------------------------------------------------------

    def report_stem(self) -> str:
        """Stem of ``report``, to be completed with its id."""
        return f"{self.prefix}:report:"

    def report(self, report_id: str) -> str:
        """String: a report as JSON."""
        return f"{self.report_stem()}{report_id}"

    def reports(self) -> str:
        """Sorted set of the ids of the reports that are kept, by the end of their period (s)."""
        return f"{self.prefix}:reports"

    def report_claim(self, report_id: str) -> str:
        """String with an expiry: the token of the reporter that is writing this report."""
        return f"{self.prefix}:report-claim:{report_id}"

    def announcement_claim(self, report_id: str) -> str:
        """String with an expiry: the token of the reporter that is sending this report to the topic."""
        return f"{self.prefix}:announcement-claim:{report_id}"

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
        """String with an expiry: exists while no reporter calls the model."""
        return f"{self.prefix}:report-circuit"


def lasts(keys: Keys, key: str) -> bool:
    """True for a key that a rebuild keeps, although it is not in the counts: reports, budgets, what was sent, losses, acts."""
    lasting = (
        keys.report(""), keys.reports(), keys.report_claim(""), keys.announcement_claim(""), keys.reports_unannounced(),
        keys.report_counters(), keys.report_spent(""), keys.report_failures(), keys.report_circuit(),
        keys.messages_sent(0).removesuffix("0"), keys.lost(), keys.incident_acts(),
    )  # fmt: skip
    return key.startswith(lasting)
