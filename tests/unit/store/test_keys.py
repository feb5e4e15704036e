"""Each Redis key is spelled once: in ``stream_app/store/keys.py``."""

from __future__ import annotations

import inspect
import re
from functools import cache
from pathlib import Path

import pytest

from stream_app.store import scripts
from stream_app.store.keys import Keys, applied_field, waiting_field, waiting_format
from stream_app.windows.grain import Grain
from tests.support.paths import ROOT

PREFIX, PART = "the-prefix", "a-part"
FOLDERS = ("stream_app", "headrace", "producers", "reporter", "dashboard", "benchmarks", "scripts", "tests/support")
SCRIPTS = sorted(Path(scripts.__file__).parent.glob("*.lua"))


def keys() -> dict[str, str]:
    """Method of Keys → a key that it makes."""
    made = {}
    for name, method in inspect.getmembers(Keys, inspect.isfunction):
        if not name.startswith("_"):
            given = {"grain": Grain.MINUTE, "start": 60, "week": 7, "hour": 8}
            wanted = [one for one in inspect.signature(method).parameters if one != "self"]
            made[name] = method(Keys(PREFIX), *(given.get(one, PART) for one in wanted))
    return made


STEMS = sorted({key.removeprefix(f"{PREFIX}:").partition(":")[0] for key in keys().values()})


@cache
def sources() -> list[tuple[Path, str]]:
    """Every source file but the tests themselves, which may spell what they expect."""
    paths = [path for folder in FOLDERS for suffix in ("py", "lua") for path in sorted((ROOT / folder).rglob(f"*.{suffix}"))]
    return [(path.relative_to(ROOT), path.read_text("utf-8")) for path in paths]


def test_every_key_has_the_prefix_and_a_stem() -> None:
    assert all(key.startswith(f"{PREFIX}:") for key in keys().values())
    assert {"win", "wins", "total", "applied", "lookup-notes", "incidents-by-start", "unsent", "report"} <= set(STEMS)


@pytest.mark.parametrize("stem", STEMS)
def test_a_stem_stands_once_in_the_tree(stem: str) -> None:
    # A key is a prefix, a colon and the stem, whoever puts them together.
    spelled = re.compile(rf""":{re.escape(stem)}(?=[:"'}}])""")
    found = [str(path) for path, text in sources() for _ in spelled.finditer(text)]
    assert found == ["stream_app/store/keys.py"]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_spells_no_part_of_a_key(path: Path) -> None:
    code = re.sub(r"--.*", "", path.read_text("utf-8"))
    assert not [text for text in re.findall(r"'[^']*'|\"[^\"]*\"", code) if ":" in text]
    assert "prefix" not in code


def test_no_two_methods_make_the_same_key() -> None:
    made = keys()
    assert len(set(made.values())) == len(made)


def test_fields_name_the_topic_id_where_there_is_one() -> None:
    assert applied_field("orders", "", 3) == "orders//3"
    assert applied_field("orders", "abc", 3) == "orders/abc/3"
    assert waiting_field(3, 17, "") == "3:17"
    assert waiting_field(3, 17, "abc") == "3:17:abc"


@pytest.mark.parametrize("topic_id", ["", "abc_-1", "a%b"])
def test_scripts_name_a_waiting_record_as_workers_do(topic_id: str) -> None:
    form = waiting_format(topic_id)
    assert form % ("3", "7") == waiting_field(3, 7, topic_id)
