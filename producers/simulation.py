"""Send a simulated stream to the raw topics, or write it to files; write the truth about it beside it."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from producers.run import NO_DELAY, STOP_SECONDS, Progress, Stop, summary
from producers.sending.delivery import Sender
from producers.sending.pace import Pacer
from producers.simulator.fields import FIELDS, VISITS
from producers.simulator.simulator import Event, Simulation
from producers.simulator.truth import TruthFile
from stream_app.errors import SourceError
from stream_app.settings import Settings


def send(
    settings: Settings, plan: Simulation, pacer: Pacer, history_ms: int, truth: TruthFile | None, progress: Progress, stop: Stop
) -> None:
    """Send the stream to the raw topics: the first ``history_ms`` of event time as fast as possible, the rest paced.

    Raises:
        DeliveryError: records were not delivered; says how many.
    """

    def acknowledged(event: Event | None, partition: int | None, offset: int | None) -> None:
        if event is not None and truth is not None:
            truth.write(event, partition=partition, offset=offset)

    sender = Sender(settings, acknowledged if truth else None)
    counts: Counter[str] = Counter()
    try:
        for event in plan.events():
            delay = pacer.delay(event.at_ms) if event.at_ms - plan.start_ms >= history_ms else 0.0
            if delay > NO_DELAY:
                sender.settle()
                stop.wait(delay)
            if stop:
                break
            if truth is not None:
                truth.reach(event.at_ms)
            sender.send(event.record, event if truth is not None and truth.wants(event) else None)
            counts[event.record.entity] += 1
            if not event.number & 0x3F:
                progress.update(sender.settled, lambda: counts["orders"] / plan.count if plan.count else None)
        if stop:
            sender.flush(STOP_SECONDS)
        else:
            sender.finish()
    finally:
        sender.close()
    progress.say(summary(sender.settled, "delivered", counts, progress.seconds()))


def write(folder: Path, plan: Simulation, truth: TruthFile | None, progress: Progress, stop: Stop) -> None:
    """Write the stream to one new JSON Lines file per entity.

    Raises:
        SourceError: a file exists, or cannot be written.
    """
    counts: Counter[str] = Counter()
    with ExitStack() as stack:
        files: dict[str, BinaryIO] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for entity in (*FIELDS, VISITS) if plan.visits else FIELDS:
                files[entity] = stack.enter_context((folder / f"{entity}.jsonl").open("xb"))
        except FileExistsError as error:
            raise SourceError(f"{error.filename} exists already; remove it or name another folder") from None
        except OSError as error:
            raise SourceError(f"{folder}: cannot be written ({error.strerror}); name another folder") from None
        for event in plan.events():
            if stop:
                break
            entity = event.record.entity
            files[entity].write(event.record.value + b"\n")
            counts[entity] += 1
            if truth is not None:
                truth.reach(event.at_ms)
                if truth.wants(event):
                    truth.write(event, line=counts[entity])
            if not event.number & 0xFF:
                progress.update(event.number, lambda: counts["orders"] / plan.count if plan.count else None)
    progress.say(summary(counts.total(), f"written to {folder}", counts, progress.seconds()))
