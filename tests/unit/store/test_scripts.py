"""The scripts are files of the package: complete, described, and with their keys as KEYS."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
import redis
from hatchling.builders.wheel import WheelBuilder

from stream_app.store.scripts import load, pack
from tests.support.paths import ROOT

LUA = [path.name for path in files("stream_app.store.scripts").iterdir() if path.name.endswith(".lua")]
NAMES = sorted(name.removesuffix(".lua") for name in LUA)


def test_every_script_is_loaded_somewhere_and_every_loaded_script_is_there() -> None:
    code = "\n".join(path.read_text("utf-8") for path in (ROOT / "stream_app" / "store").glob("*.py"))
    assert sorted({*re.findall(r'load(?:_guarded)?\(\S+, "(\w+)"\)', code), "guard", "incidents", "unique"}) == NAMES


@pytest.mark.parametrize("name", sorted({*NAMES} - {"incidents", "unique"}))  # which are functions of other scripts
def test_a_script_says_what_its_keys_its_arguments_and_its_reply_are(name: str) -> None:
    load(redis.Redis(), name)
    text = files("stream_app.store.scripts").joinpath(f"{name}.lua").read_text("utf-8")
    header = "\n".join(line for line in text.split("\n") if line.startswith("--"))
    assert re.search(r"^-- KEYS\[(1[]…]|#KEYS\])", header, re.MULTILINE)
    assert re.search(r"^-- ARGV", header, re.MULTILINE)
    assert re.search(r"^-- Returns ", header, re.MULTILINE)
    assert "KEYS" in text.removeprefix(header)


def test_payloads_have_no_type_that_redis_cannot_read() -> None:
    assert pack(b"x") == pack("x")


def test_scripts_are_in_the_wheel() -> None:
    included = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    assert {f"stream_app/store/scripts/{name}" for name in LUA} <= included
