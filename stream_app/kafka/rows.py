"""The clean records of a batch as columns: the row of each is made while it is written, and again only if it is refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice, repeat
from typing import Any, overload

from stream_app.kafka.headers import Header
from stream_app.kafka.refusals import Row
from stream_app.names import SOURCE


class CleanRows(Sequence[Row]):
    """The rows of those records of a batch that go to the clean topic.

    Args:
        keys, values, timestamps, sources: of all records of the batch.
        contract: the header of each record after its source.
        own: index → further headers of a record; ``None`` for a record that does not go to the clean topic.
    """

    def __init__(
        self,
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        timestamps: Sequence[int],
        sources: Sequence[bytes],
        contract: Header,
        own: Mapping[int, Iterable[Header] | None],
    ) -> None:
        self._columns = keys, values, timestamps, sources
        self._contract, self._own = contract, own
        self._length = len(keys) - sum(headers is None for headers in own.values())

    @property
    def longest(self) -> int:
        """No row has more bytes in key and value."""
        keys, values, *_ = self._columns
        return max(map(len, filter(None, keys)), default=0) + max(map(len, filter(None, values)), default=0)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Row]:
        return chain.from_iterable(self._runs())

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> list[Row]: ...
    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return list(islice(self, at.start, at.stop, at.step))
        return [*self][at]

    def _runs(self) -> Iterator[Iterable[Row]]:
        """Yield the rows in order: neighbours without headers of their own at once."""
        keys, values, timestamps, sources = self._columns
        begin = 0
        for index in sorted(self._own):
            if begin < index:
                yield self._plain(begin, index)
            headers = self._own[index]
            if headers is not None:
                every: list[Header] = [(SOURCE, sources[index]), self._contract, *headers]
                yield ((keys[index], values[index], timestamps[index], every),)
            begin = index + 1
        yield self._plain(begin, len(keys))

    def _plain(self, begin: int, end: int) -> Iterator[Row]:
        keys, values, timestamps, sources = (column[begin:end] for column in self._columns)
        headers: Any = map(list, zip(zip(repeat(SOURCE), sources), repeat(self._contract)))
        return zip(keys, values, timestamps, headers, strict=True)  # type: ignore[arg-type]  # the columns differ in type
