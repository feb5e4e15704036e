"""The guide "Which Redis" names every check of the server, and no other."""

from __future__ import annotations

import re

from stream_app.store.server import OLDEST, REFUSED, WARNED
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "guides" / "redis.md").read_text(encoding="utf-8")


def test_every_check_has_a_row_with_its_verdict() -> None:
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| .* \| (refused|warning)[^|]*\|$", PAGE, re.MULTILINE))
    assert rows == {**dict.fromkeys(REFUSED, "refused"), **dict.fromkeys(WARNED, "warning")}


def test_the_oldest_version_is_the_checks() -> None:
    assert f"| Redis before {OLDEST[0]}.{OLDEST[1]} | refused" in PAGE
