"""The wheel has every file of the packages: scripts, styles, texts and templates, and the markers that they are typed."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.paths import ROOT

PACKAGES = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the files in the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
    (built,) = folder.glob("*.whl")
    with ZipFile(built) as archive:
        return set(archive.namelist())


def files(package: str) -> set[str]:
    paths = [path for path in (ROOT / package).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {path.relative_to(ROOT).as_posix() for path in paths}


@pytest.mark.parametrize("package", PACKAGES)
def test_it_has_every_file_of_a_package(wheel: set[str], package: str) -> None:
    assert files(package) - wheel == set()
    assert f"{package}/py.typed" in wheel


def test_it_has_files_of_every_kind(wheel: set[str]) -> None:
    assert {Path(name).suffix for name in wheel} >= {".py", ".typed", ".lua", ".css", ".svg", ".toml", ".yaml", ".html", ".md"}
