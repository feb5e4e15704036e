"""Compare the clean and dead-letter records of a simulated stream with its truth file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from headrace.evaluation.compare import lines_of
from headrace.evaluation.report import Report, of_records
from headrace.evaluation.score import FAULTLESS, RecordScores, Truth
from stream_app.contract import Shop
from stream_app.errors import DeliveryError, SourceError
from stream_app.kafka.admin import TIMEOUT, end_offsets
from stream_app.kafka.options import sync_options
from stream_app.kafka.reading import poll
from stream_app.names import FINDINGS, REPAIRS, SOURCE, WARNINGS, Topics
from stream_app.settings import Settings

#: Outcome of a record that is in neither topic: it waits, or has not been judged.
NOWHERE = "nothing yet"


def compare_topics(settings: Settings, shop: Shop, truth: Path) -> Report:
    """Compare every record of the clean and dead-letter topics; a record that a crash repeated counts once.

    Raises:
        SourceError: the truth file cannot be read, or belongs to files and not to a stream.
        DeliveryError: the broker does not answer.
    """
    known: dict[str, tuple[str, Truth]] = {}
    for number, line in enumerate(lines_of(truth), 1):
        if "incident" in line and "entity" not in line:
            continue
        try:
            source = f"{line['topic']}:{line['partition']}:{line['offset']}"
            known[source] = (line["entity"], Truth.from_json(line))
        except KeyError:
            raise SourceError(
                f"{truth}: line {number} does not name a partition and an offset; write the truth without --out"
            ) from None
    scores = RecordScores()
    seen: set[str] = set()
    for entity, source, rules, repaired, outcome in _settled(settings, shop):
        if source not in seen:
            seen.add(source)
            scores.add(entity, known.get(source, (entity, FAULTLESS))[1], rules, outcome, repaired=repaired)
    for source in sorted(known.keys() - seen):
        entity, expected = known[source]
        scores.add(entity, expected, (), NOWHERE, repaired=False)
    return of_records(shop, [scores])


def _settled(settings: Settings, shop: Shop) -> Iterator[tuple[str, str, list[str], bool, str]]:
    """Yield entity, source, broken rules, repaired (true or false) and outcome of every record with a verdict."""
    from kafka import KafkaConsumer, TopicPartition
    from kafka.errors import KafkaError

    outcomes: dict[str, tuple[str, str]] = {}
    for entity in shop.contracts:
        names = Topics(entity, settings.topic_prefix)
        outcomes |= {names.clean: (entity, "clean"), names.dead_letter: (entity, "rejected")}
    try:
        consumer = KafkaConsumer(**sync_options(settings), fetch_max_wait_ms=50, enable_auto_commit=False)
        try:
            partitions = [
                TopicPartition(topic, number) for topic in outcomes for number in consumer.partitions_for_topic(topic) or ()
            ]
            ends = end_offsets(consumer, partitions)
            consumer.seek_to_beginning(*partitions)
            left = {partition for partition in partitions if consumer.position(partition) < ends[partition]}
            while left:
                found = poll(consumer, int(TIMEOUT * 1000), 5_000)
                if not found:
                    raise DeliveryError(
                        f"Kafka at {settings.kafka} sent nothing for {TIMEOUT:.0f} s; check the broker, then try again"
                    )
                for partition, records in found.items():
                    entity, outcome = outcomes[partition.topic]
                    for record in records:
                        if outcome == "clean" and record.value is None:
                            continue  # a tombstone, which has no verdict
                        yield _row(entity, outcome, dict(record.headers))
                left = {partition for partition in left if consumer.position(partition) < ends[partition]}
        finally:
            consumer.close()
    except KafkaError as error:
        raise DeliveryError(
            f"Kafka at {settings.kafka} does not answer ({type(error).__name__}); check the broker and HEADRACE_KAFKA"
        ) from None


def _row(entity: str, outcome: str, headers: dict[str, bytes | None]) -> tuple[str, str, list[str], bool, str]:
    findings: list[dict[str, Any]] = json.loads(headers.get(FINDINGS if outcome == "rejected" else WARNINGS) or b"[]")
    source = (headers.get(SOURCE) or b"").decode()
    return entity, source, [finding["rule"] for finding in findings], bool(headers.get(REPAIRS)), outcome
