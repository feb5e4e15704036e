"""Compare files of `headrace simulate --out` with their truth file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from headrace.check.check import Check
from headrace.evaluation.report import Report, of_records
from headrace.evaluation.run import MAX_BYTES, START_MS, scoring
from headrace.evaluation.score import FAULTLESS, RecordScores, Truth
from producers.sources.open import open_sources
from stream_app.contract import Shop
from stream_app.errors import SourceError


class TruthByLine:
    """The truth about an entity's records, by line of the file; a line that the truth file does not name is faultless."""

    def __init__(self) -> None:
        self.by_line: dict[int, Truth] = {}

    def __getitem__(self, index: int) -> Truth:
        return self.by_line.get(index + 1, FAULTLESS)


def compare_files(shop: Shop, truth: Path, paths: list[str]) -> Report:
    """Judge the files and compare them with the truth.

    Raises:
        SourceError: the truth file cannot be read, or belongs to a stream and not to files.
    """
    known = {entity: TruthByLine() for entity in shop.contracts}
    for number, line in enumerate(lines_of(truth), 1):
        if "incident" in line and "entity" not in line:
            continue
        try:
            known[line["entity"]].by_line[line["line"]] = Truth.from_json(line)
        except (KeyError, TypeError):
            raise SourceError(
                f"{truth}: line {number} does not name a line of a file; write the truth with `simulate --out`"
            ) from None
    scores = RecordScores()
    check = Check(shop, now_ms=START_MS, max_bytes=MAX_BYTES, observer=scoring(scores, known))
    for source in open_sources(shop, paths, token=None):
        check.judge(source)
    check.finish()
    return of_records(shop, [scores])


def lines_of(file: Path) -> list[dict[str, Any]]:
    """Return the lines of a truth file.

    Raises:
        SourceError: the file cannot be read.
    """
    try:
        return [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    except OSError as error:
        raise SourceError(f"{file}: cannot be read ({error.strerror}); name a truth file with --truth") from None
    except ValueError:
        raise SourceError(f"{file}: not a truth file; write one with `headrace simulate --truth`") from None
