"""The files that a check writes: each gets its name when everything is in it, so that nobody takes a part for the whole."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from stream_app.errors import SettingsError

_PART = ".part"


class Results:
    """Files of one folder; ``with`` takes away what was not kept.

    Raises:
        SettingsError: the folder cannot be made, or a file in it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._paths: list[Path] = []  # of files that are open, or about to be: a stop may come in that moment
        self._files: list[IO[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for file in self._files:
            with suppress(OSError):
                file.close()
        for path in self._paths:
            with suppress(OSError):
                _part(path).unlink(missing_ok=True)
        if isinstance(error, OSError) and self._paths:
            raise self._problem(error) from None
        self._paths, self._files = [], []

    def open(self, name: str) -> IO[bytes]:
        """A new file, under another name until ``keep``."""
        path = self.folder / name
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._paths.append(path)
            self._files.append(_part(path).open("wb"))
        except OSError as error:
            raise self._problem(error) from None
        return self._files[-1]

    def keep(self) -> None:
        """Everything is written: give the files their names, in place of earlier ones."""
        try:
            for file in self._files:
                file.close()
            for path in self._paths:
                _part(path).replace(path)
        except OSError as error:
            raise self._problem(error) from None
        self._paths, self._files = [], []

    def _problem(self, error: OSError) -> SettingsError:
        return SettingsError(f"{self.folder}: cannot be written ({error.strerror}); name another folder with --write")


def _part(path: Path) -> Path:
    return path.with_name(path.name + _PART)


def overwritten(folder: Path, names: Iterable[str], sources: Iterable[Path]) -> Path | None:
    """The first of the ``sources`` that a file of such a name in the folder would replace."""
    written = {(folder / name).resolve() for name in names}
    return next((source for source in sources if source.resolve() in written), None)
