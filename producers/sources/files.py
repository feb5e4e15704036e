"""Open files of any supported compression and report how much has been read."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa

from stream_app.errors import SourceError

COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".lzma": "xz", ".zst": "zstd", ".zip": "zip"}
_OPENERS: dict[str, Any] = {"gzip": gzip.open, "bz2": bz2.open, "xz": lzma.open}
_FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv",
    ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip


class InputFile:
    """A file on disk, opened anew for every reading.

    Raises:
        SourceError: the path is a folder, an empty file, or cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._raw: BinaryIO | None = None
        try:
            if path.is_dir():
                names = sorted(entry.name for entry in path.iterdir() if not entry.name.startswith("."))[:10]
                raise SourceError(f"{path} is a folder; name files in it ({', '.join(names) or 'it is empty'})")
            self.size = path.stat().st_size
        except FileNotFoundError:
            raise SourceError(f"{path}: no such file; {_neighbours(path)}") from None
        except OSError as error:
            raise SourceError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from None
        if self.size == 0:
            raise SourceError(f"{path}: the file is empty; name one with records in it")

    @property
    def compression(self) -> str | None:
        """Compression by the ending of the name; None if there is none."""
        return COMPRESSIONS.get(self.path.suffix.lower())

    @property
    def format(self) -> str | None:
        """Format by the ending of the name, without that of the compression; None if the ending is unknown."""
        return _FORMATS.get(self._suffix())

    @property
    def tabbed(self) -> bool:
        """True if the ending of the name is that of tab-separated values."""
        return self._suffix() == ".tsv"

    def _suffix(self) -> str:
        name = self.path.with_suffix("") if self.compression else self.path
        return name.suffix.lower()

    def fraction(self) -> float:
        """Return the share of the file that has been read, 0 to 1."""
        if self._raw is None or self._raw.closed:
            return 0.0
        return min(1.0, self._raw.tell() / self.size)

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the uncompressed bytes.

        Raises:
            SourceError: the file cannot be opened, or its compressed data turns out to be damaged while reading.
        """
        try:
            with self.path.open("rb") as raw:
                self._raw = raw
                with _decompressed(raw, self.compression, self.path) as stream:
                    yield stream
        except (zlib.error, lzma.LZMAError, EOFError, gzip.BadGzipFile, zipfile.BadZipFile) as error:
            raise SourceError(
                f"{self.path}: the {self.compression} data is damaged or cut off ({error}); get it again"
            ) from None
        except pa.ArrowException:
            raise SourceError(
                f"{self.path}: the {self.compression or self.format} data is damaged or cut off; get it again"
            ) from None
        except OSError as error:
            kind = self.compression
            what = f"is not readable {kind} data" if kind else "cannot be read"
            raise SourceError(f"{self.path}: {what} ({error.strerror or error})") from None

    def _damaged(self, what: str) -> SourceError:
        return SourceError(f"{self.path}: the {what}; get the file again")


@contextmanager
def _decompressed(raw: BinaryIO, compression: str | None, path: Path) -> Iterator[BinaryIO]:
    if compression is None:
        yield raw
    elif compression == "zip":
        with zipfile.ZipFile(raw) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            if len(names) != 1:
                raise SourceError(f"{path}: a zip file must hold exactly one file, and this one holds {len(names)}; unpack it")
            with archive.open(names[0]) as member:
                yield cast("BinaryIO", member)
    elif compression == "zstd":
        with pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd") as stream:
            yield cast("BinaryIO", io.BufferedReader(stream, 1 << 16))
    else:
        opener: Callable[[BinaryIO, str], Any] = _OPENERS[compression]
        with opener(raw, "rb") as stream:
            yield stream


def _neighbours(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"the folder {folder} does not exist either"
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_file() and not entry.name.startswith("."))
    return f"files there: {', '.join(names[:10])}" if names else "the folder has no files"
