"""Read the as-of moments of Kafka records: the header ``headrace.as_of``, else the Kafka timestamp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stream_app.kafka.headers import Header, Record
from stream_app.names import AS_OF
from stream_app.windows.as_of import END_MS, FIRST_KAFKA_MS, UNKNOWN, UNKNOWN_HEADER, of_header, of_kafka


class AsOf(NamedTuple):
    """The as-of moments of some records.

    Attributes:
        moments: of each record, in ms; UNKNOWN if nobody states it.
        dated: True for each record whose producer stated the moment in a header.
        invalid: indexes of the records whose headers state no moment that can be shown.
    """

    moments: list[int]
    dated: list[bool]
    invalid: tuple[int, ...] = ()


def read_as_of(records: Sequence[Record]) -> AsOf:
    """Return the as-of moments of records. One without a valid header is judged as of its Kafka timestamp."""
    # Mostly every record of a batch has this header alone, with the same moment.
    every = [record.headers for record in records]
    if every and len(first := every[0]) == 1 and every.count(first) == len(every):
        moment = _moment(*first[0])
        if moment is not None:
            return AsOf([moment] * len(every), [True] * len(every))
    # Else each distinct header is parsed once.
    pairs = [headers[0] if len(headers) == 1 else None for headers in every]
    distinct = set(pairs)
    known = {pair: moment for pair in distinct if pair is not None and (moment := _moment(*pair)) is not None}
    if len(known) == len(distinct):
        return AsOf(list(map(known.__getitem__, pairs)), [True] * len(pairs))  # type: ignore[arg-type]  # None is not in it
    stated = [
        known.get(pair) if pair is not None else _first_moment(headers) if (headers := record.headers) else None
        for pair, record in zip(pairs, records, strict=True)
    ]
    moments = [
        moment if moment is not None else timestamp if FIRST_KAFKA_MS <= (timestamp := record.timestamp) < END_MS else UNKNOWN
        for moment, record in zip(stated, records, strict=True)
    ]
    invalid = tuple(
        index
        for index, (moment, record) in enumerate(zip(stated, records, strict=True))
        if moment is None and record.headers and any(name == AS_OF for name, _ in record.headers)
    )
    return AsOf(moments, [moment is not None for moment in stated], invalid)


def as_of(record: Record) -> int:
    """Return the as-of moment of one record, in ms; UNKNOWN if nobody states it."""
    return read_as_of([record]).moments[0]


def as_of_pending(record: Record) -> int:
    """Return the as-of moment of a record of a pending topic, as the worker that judged it wrote it down."""
    for name, value in record.headers:
        if name == AS_OF:
            if value == UNKNOWN_HEADER:
                return UNKNOWN
            moment = of_header(value)
            if moment is not None:
                return moment
    return of_kafka(record.timestamp)


def _first_moment(headers: Sequence[Header]) -> int | None:
    """Return the moment of the first valid as-of header."""
    for name, value in headers:
        moment = _moment(name, value)
        if moment is not None:
            return moment
    return None


def _moment(name: str, value: bytes | None) -> int | None:
    """Return the moment in a header if it is a valid as-of header."""
    return of_header(value) if name == AS_OF else None
