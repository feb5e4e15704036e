"""Replay sources to the raw topics, resuming after the last acknowledged record of a stopped run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from producers.record import RawRecord
from producers.run import NO_DELAY, STOP_SECONDS, Progress, Stop, summary
from producers.sending.delivery import Sender
from producers.sending.pace import Pacer
from producers.sending.resume import Checkpoint, Position, file_identity
from producers.sources.open import open_sources
from producers.sources.source import Source, merged
from stream_app.contract import Shop
from stream_app.errors import SourceError
from stream_app.kafka.admin import topic_ids
from stream_app.settings import Settings
from stream_app.windows.clock import RunningClock


def total(sources: Sequence[Source]) -> int | None:
    """Return the number of records of all sources; None if one is unknown."""
    totals = [source.total for source in sources]
    return sum(count or 0 for count in totals) if all(totals) else None


def fraction(sources: Sequence[Source]) -> float | None:
    """Return the share of all files that has been read, 0 to 1; None if a source is not a file."""
    fractions = [(source.fraction(), source.file.size) for source in sources if source.file]
    if len(fractions) != len(sources):
        return None
    return sum((read or 0.0) * size for read, size in fractions) / sum(size for _, size in fractions)


class Replay:
    """The sources of one replay, in an order that is the same for every run.

    Args:
        paths: files and URLs; none: every `url` of the shop's ``sources.yaml``.
        only: send only this entity's records.
        by_time: merge the sources by event time; else send one after the other.
    """

    def __init__(self, settings: Settings, shop: Shop, paths: tuple[str, ...], *, only: str | None, by_time: bool) -> None:
        self._settings, self._shop, self._paths, self._only, self._by_time = settings, shop, paths, only, by_time

    def open(self, shift_ms: int = 0) -> list[Source]:
        """Open the sources, with every timestamp moved by ``shift_ms``.

        Raises:
            SourceError: unknown path, URL, column or entity.
        """
        return open_sources(self._shop, self._paths, only=self._only, token=self._settings.source_token, shift_ms=shift_ms)

    def run(self, sources: list[Source], pacer: Pacer, progress: Progress, stop: Stop, *, loop: bool, resume: bool) -> None:
        """Send the sources, with ``loop`` again and again until stopped.

        Raises:
            SourceError: a source is damaged, or there is nothing to repeat.
            DeliveryError: records were not delivered; says how many.
        """
        checkpoint = self._checkpoint(sources)
        position = (checkpoint.read() if checkpoint and resume else None) or Position()
        for source in sources:
            for remark in source.remarks:
                progress.say(remark)
        if position != Position():
            number = f" in round {position.round + 1}" if position.round else ""
            progress.say(
                f"resuming after {position.records:,} records that an earlier run delivered{number}; --no-resume starts over"
            )
        elif checkpoint is None and resume:
            progress.say("HTTP sources are read from the start; a stopped replay of them cannot be resumed")
        if loop:
            progress.say("--loop: each round moves event times on by the span of the first round; identifiers repeat")
        sender = Sender(self._settings)
        rounds = _Rounds(sender, pacer, progress, stop, checkpoint, by_time=self._by_time)
        complete = False
        try:
            while True:
                if position.round:
                    sources = self.open(position.span_ms * position.round)
                position = rounds.send(sources, position)
                if stop or not loop:
                    break
                if not position.records:
                    raise SourceError("the sources have no records, so there is nothing to repeat; leave --loop out")
                position = Position(0, position.round + 1, position.span_ms)
            complete = not stop
        finally:
            sender.close()
            if checkpoint and complete:
                checkpoint.remove()
        for source in sources:
            for note in source.notes():
                progress.say(note)
        progress.say(summary(sender.settled, "delivered", rounds.counts, progress.seconds()))
        if stop:
            kept = checkpoint is not None and checkpoint.kept
            after = "the same command resumes there" if kept else "the next run starts over"
            progress.say(f"stopped after {position.records:,} acknowledged records; {after}")

    def _checkpoint(self, sources: list[Source]) -> Checkpoint | None:
        """Return the file that keeps the position; None for HTTP, whose answers may differ the next time."""
        files = [source.file for source in sources if source.file]
        if len(files) != len(sources):
            return None
        mapping = self._shop.sources_file
        identity: dict[str, Any] = {
            "files": [file_identity(file.path) for file in files],
            "sources": file_identity(mapping) if mapping.exists() else None,
            "contracts": [contract.name_and_version for contract in self._shop.contracts.values()],
            "only": self._only,
            "by_time": self._by_time,
            "kafka": self._settings.kafka,
            "topics": topic_ids(self._settings, self._shop.contracts),
        }
        return Checkpoint(identity)


class _Rounds:
    """Sends rounds of a replay and keeps the position."""

    def __init__(
        self,
        sender: Sender,
        pacer: Pacer,
        progress: Progress,
        stop: Stop,
        checkpoint: Checkpoint | None,
        *,
        by_time: bool,
    ) -> None:
        self._sender, self._pacer, self._progress, self._stop = sender, pacer, progress, stop
        self._checkpoint = checkpoint
        self._by_time = by_time
        self.counts: Counter[str] = Counter()

    def send(self, sources: list[Source], position: Position) -> Position:
        """Send one round from ``position`` on; return the position reached, which is also written if something fails."""
        sender, stop, checkpoint = self._sender, self._stop, self._checkpoint
        skip, base = position.records, sender.settled
        # Without records that are dated far before or after the others.
        first, last = RunningClock(), RunningClock()

        def reached() -> Position:
            records = skip + sender.settled - base
            span = last.reached + first.reached + 1000 if last.reached else position.span_ms
            return Position(records, position.round, span if not position.round else position.span_ms)

        try:
            for number, record in enumerate(self._records(sources)):
                if record.as_of_ms is not None:
                    first.take(-record.as_of_ms)
                    last.take(record.as_of_ms)
                if number < skip:
                    if stop:
                        break
                    continue
                if not self._pacer.idle:
                    self._wait(self._pacer.delay(record.as_of_ms))
                if stop:
                    break
                sender.send(record)
                self.counts[record.entity] += 1
                if not number & 0xFF:
                    self._progress.update(skip + sender.settled - base, lambda: fraction(sources))
                    if checkpoint:
                        checkpoint.write(reached())
            if stop:
                sender.flush(STOP_SECONDS)
            else:
                sender.finish()
        except SourceError:
            sender.flush(STOP_SECONDS)
            raise
        finally:
            if checkpoint:
                checkpoint.write(reached(), now=True)
        return reached()

    def _records(self, sources: list[Source]) -> Iterator[RawRecord]:
        return merged(sources) if self._by_time else chain.from_iterable(sources)

    def _wait(self, seconds: float) -> None:
        """Sleep until a record is due; account for acknowledgements first."""
        if seconds > NO_DELAY:
            self._sender.settle()
            self._stop.wait(seconds)
