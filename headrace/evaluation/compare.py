"""Compares files that `headrace simulate --out` wrote with the truth that it wrote beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from headrace.evaluation.report import Report, of_records
from headrace.evaluation.run import START_MS, Observed
from headrace.evaluation.score import FAULTLESS, RecordScores, Truth
from producers.sources.open import open_sources
from stream_app.contract import Shop
from stream_app.errors import SourceError


class Truths:
    """The truth about an entity's records, by line; a line that the file does not name is faultless."""

    def __init__(self) -> None:
        self.by_line: dict[int, Truth] = {}

    def __getitem__(self, index: int) -> Truth:
        return self.by_line.get(index + 1, FAULTLESS)


def files(shop: Shop, truth: Path, paths: list[str]) -> Report:
    """Judge the files and compare.

    Raises:
        SourceError: the truth file is of a stream and not of files, or cannot be read.
    """
    known = {entity: Truths() for entity in shop.contracts}
    for number, line in enumerate(lines_of(truth), 1):
        if "incident" in line and "entity" not in line:
            continue
        try:
            known[line["entity"]].by_line[line["line"]] = Truth.from_json(line)
        except (KeyError, TypeError):
            raise SourceError(f"{truth}: line {number} has no line of a file; write the truth with `simulate --out`") from None
    scores = RecordScores()
    check = Observed(shop, scores, known, now_ms=START_MS)
    for source in open_sources(shop, paths, token=None):
        check.judge(source)
    check.finish()
    return of_records(shop, [scores])


def lines_of(file: Path) -> list[dict[str, Any]]:
    """The lines of a truth file.

    Raises:
        SourceError: it cannot be read.
    """
    try:
        return [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    except OSError as error:
        raise SourceError(f"{file}: cannot be read ({error.strerror})") from None
    except ValueError:
        raise SourceError(f"{file}: not the JSON Lines that `headrace simulate --truth` writes") from None
