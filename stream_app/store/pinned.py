"""Baselines that a file pins: they are used as they are, and nothing is learned."""

from __future__ import annotations

import json
from pathlib import Path

from stream_app.errors import SettingsError
from stream_app.judge.baseline import Baseline


def read_pinned(file: Path) -> dict[str, Baseline]:
    """Return entity → the baseline that a file pins (``headrace baseline`` writes one).

    Raises:
        SettingsError: the file cannot be read as that.
    """
    try:
        return {entity: Baseline.from_json(json.dumps(document)) for entity, document in json.loads(file.read_text()).items()}
    except OSError as error:
        raise SettingsError(f"HEADRACE_BASELINE: {file} cannot be read ({error.strerror}); name another file") from None
    except (ValueError, AttributeError):
        raise SettingsError(f"HEADRACE_BASELINE: {file} does not hold baselines; `headrace baseline` writes them") from None
