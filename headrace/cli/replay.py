"""`headrace replay`: files and HTTP APIs to the raw topics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import click

from headrace.cli.sending import STOP_SECONDS, Meter, rate_option, speed_option, undelivered
from headrace.interrupts import Stop
from producers.record import RawRecord
from producers.sending.delivery import Sender
from producers.sending.pace import TICK, Pacer
from producers.sending.resume import Checkpoint, Position, file_identity
from producers.sources.open import open_sources
from producers.sources.source import Source, merged
from stream_app.contract import Shop, load_shop
from stream_app.errors import DeliveryError, SourceError
from stream_app.kafka.admin import ensure_topics, topic_ids
from stream_app.process import spare_garbage_collection
from stream_app.settings import Settings, load_settings


@click.command(name="replay")
@click.argument("places", nargs=-1, metavar="[PATH|URL]...")
@click.option("--shop", type=click.Path(path_type=Path), help="Folder of the shop's contracts and sources.yaml.")
@click.option("--entity", metavar="E", help="Only this entity; also says what a file holds whose name does not.")
@click.option("--rate", metavar="N/s", callback=rate_option, help="At most so many records a second.")
@click.option("--speed", metavar="60x", callback=speed_option, help="Event time so many times as fast as the clock.")
@click.option("--loop", is_flag=True, help="Start over at the end, event times moved on, until stopped.")
@click.option("--resume/--no-resume", default=True, help="Go on where an interrupted replay stopped (default).")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
def command(
    places: tuple[str, ...],
    shop: Path | None,
    entity: str | None,
    rate: float | None,
    speed: float | None,
    loop: bool,
    resume: bool,
    quiet: bool,
) -> None:
    """Send files or an HTTP API's records to the raw topics.

    PATH is a CSV, JSON Lines or Parquet file; CSV and JSON Lines may be compressed. Without PATH and URL, every `url` of
    the shop's sources.yaml is read. Ctrl-C stops; the same command then goes on where it stopped.
    """
    settings = load_settings(shop=shop)
    loaded = load_shop(settings.shop)
    spare_garbage_collection()
    replay = _Replay(settings, loaded, places, entity, speed is not None)
    sources = replay.open(0)
    stop = Stop()
    try:
        with stop.listening(), Meter("replay", quiet=quiet, total=_total(sources)) as meter:
            ensure_topics(settings, loaded.contracts)
            replay.run(sources, Pacer(rate, speed, TICK), meter, stop, loop=loop, resume=resume)
    except DeliveryError as error:
        raise undelivered(error) from None
    if stop:
        raise click.exceptions.Exit(stop.exit_code)


def _total(sources: list[Source]) -> int | None:
    totals = [source.total for source in sources]
    return sum(total or 0 for total in totals) if all(totals) else None


def _fraction(sources: list[Source]) -> float | None:
    fractions = [(source.fraction(), source.file.size) for source in sources if source.file]
    if len(fractions) != len(sources):
        return None
    return sum((fraction or 0.0) * size for fraction, size in fractions) / sum(size for _, size in fractions)


class _Replay:
    """One replay: the sources in one fixed order, and the position of the first record that is not acknowledged."""

    def __init__(self, settings: Settings, shop: Shop, places: tuple[str, ...], only: str | None, by_time: bool) -> None:
        self._settings, self._shop, self._places, self._only, self._by_time = settings, shop, places, only, by_time

    def open(self, shift_ms: int) -> list[Source]:
        return open_sources(self._shop, self._places, only=self._only, token=self._settings.source_token, shift_ms=shift_ms)

    def checkpoint(self, sources: list[Source]) -> Checkpoint | None:
        """Where the position is kept; None for HTTP, whose answers may differ the next time."""
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

    def run(self, sources: list[Source], pacer: Pacer, meter: Meter, stop: Stop, *, loop: bool, resume: bool) -> None:
        checkpoint = self.checkpoint(sources)
        found = checkpoint.read() if checkpoint and resume else None
        position = found or Position()
        for source in sources:
            for remark in source.remarks:
                meter.say(remark)
        if found:
            meter.say(
                f"going on after {found.records:,} records that an earlier run delivered"
                + (f" in round {found.round + 1}" if found.round else "")
                + "; --no-resume starts over"
            )
        elif checkpoint is None and resume:
            meter.say("an HTTP source is read from its start; a stopped replay of it cannot go on")
        if loop:
            meter.say("--loop: every round's event times are moved on by the span of the one before; identifiers repeat")
        sender = Sender(self._settings)
        counts: Counter[str] = Counter()
        complete = False
        try:
            while True:
                if position.round:
                    sources = self.open(position.span_ms * position.round)
                position = self._round(sources, position, sender, pacer, meter, stop, counts, checkpoint)
                if stop or not loop:
                    break
                if not position.records:
                    raise SourceError(
                        "there is no record in what was read, so that there is nothing to repeat; leave --loop out"
                    )
                position = Position(0, position.round + 1, position.span_ms)
            complete = not stop
        finally:
            sender.close()
            if checkpoint and complete:
                checkpoint.remove()
        for source in sources:
            for note in source.notes():
                meter.say(note)
        meter.say(_summary(sender, counts, meter.seconds()))
        if stop:
            kept = checkpoint is not None and checkpoint.kept
            how = "the same command goes on from there" if kept else "the next run starts over"
            meter.say(f"stopped after {position.records:,} acknowledged records; {how}")

    def _round(
        self,
        sources: list[Source],
        position: Position,
        sender: Sender,
        pacer: Pacer,
        meter: Meter,
        stop: Stop,
        counts: Counter[str],
        checkpoint: Checkpoint | None,
    ) -> Position:
        """Send one round; returns the position reached, which is also written when something goes wrong."""
        skip, base = position.records, sender.settled
        first: int | None = None
        last = 0

        def reached() -> Position:
            records = skip + sender.settled - base
            span = last - (first or 0) + 1000 if first is not None else position.span_ms
            return Position(records, position.round, span if not position.round else position.span_ms)

        try:
            for number, record in enumerate(self._records(sources)):
                if record.as_of_ms is not None:
                    first = record.as_of_ms if first is None else min(first, record.as_of_ms)
                    last = max(last, record.as_of_ms)
                if number < skip:
                    if stop:
                        break
                    continue
                if not pacer.idle:
                    self._wait(pacer.delay(record.as_of_ms), sender, stop)
                if stop:
                    break
                sender.send(record)
                counts[record.entity] += 1
                if not number & 0xFF:
                    meter.update(skip + sender.settled - base, lambda: _fraction(sources))
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

    @staticmethod
    def _wait(seconds: float, sender: Sender, stop: Stop) -> None:
        """Sleep until a record is due, settling what is acknowledged meanwhile."""
        if seconds > 0.001:
            sender.settle()
            stop.wait(seconds)


def _summary(sender: Sender, counts: Counter[str], seconds: float) -> str:
    parts = ", ".join(f"{entity} {count:,}" for entity, count in counts.items())
    rate = f", {sender.settled / seconds:,.0f}/s" if seconds > 0 else ""
    return f"{sender.settled:,} records delivered in {seconds:,.1f} s{rate}" + (f" ({parts})" if parts else "")
