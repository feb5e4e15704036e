"""Read a JSON Lines file in chunks that fit memory, losing no line."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from producers.sources.files import InputFile
from producers.sources.rows import CHUNK, CHUNK_BYTES, Rows, parsed_rows
from stream_app.errors import SourceError


class JsonLinesReader:
    """A file with one JSON object per line; every line keeps its bytes."""

    typed = True

    def __init__(self, file: InputFile) -> None:
        self.file = file
        self.notes: dict[str, int] = {}
        first = next(self.chunks(), None)
        if first is None:
            raise SourceError(f"{file.path}: the file has no lines; name one with records in it")
        self.columns = tuple(first.columns)

    def chunks(self) -> Iterator[Rows]:
        """Yield the lines in file order; blank lines are skipped.

        Raises:
            SourceError: the file is damaged.
        """
        with self.file.open() as stream:
            first = True
            while lines := stream.readlines(CHUNK_BYTES):
                if first:
                    # The byte order mark belongs to the file, as in CSV; inside the first record it would break the JSON.
                    lines[0], first = lines[0].removeprefix(codecs.BOM_UTF8), False
                for start in range(0, len(lines), CHUNK):
                    kept = [line for line in (raw.strip(b"\r\n") for raw in lines[start : start + CHUNK]) if line.strip()]
                    if kept:
                        yield parsed_rows(kept)
