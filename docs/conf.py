"""Configuration of the documentation site: ``make docs`` builds it into build/docs/."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
#: The packages of the wheel: the API reference describes all of them, whatever modules they hold.
PACKAGES: list[str] = _PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]

project = "Headrace"
author = "The Headrace authors"
version = release = _PROJECT["project"]["version"]

extensions = ["myst_parser", "sphinx.ext.napoleon", "autoapi.extension"]
html_theme = "furo"
html_title = f"Headrace {version}"
html_copy_source = False

# Markdown: anchors for headings down to the third level, so that links to a section are checked.
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# API reference: read from the source without importing it, so that the site needs none of the runtime packages.
autoapi_dirs = [str(ROOT / package) for package in PACKAGES]
autoapi_root = "reference/api"
autoapi_options = ["members", "undoc-members", "show-module-summary"]
autoapi_add_toctree_entry = False
autoapi_member_order = "bysource"
autoapi_python_class_content = "both"
napoleon_use_ivar = True

# Every reference in prose has to resolve. Types in signatures are exempt: they belong to other libraries, or are imported from
# a package that only exports them.
nitpicky = True
nitpick_ignore_regex = [(r"py:.*", r".*")]
#: Names of a tuple assignment, which the parser leaves out, and types whose name occurs in several modules.
suppress_warnings = ["autoapi.python_import_resolution", "ref.python"]


def _skip(_app: Any, what: str, name: str, _object: Any, skip: bool, _options: Any) -> bool:  # noqa: FBT001 - as Sphinx calls it
    """Leave out private members and the entry module ``__main__``."""
    last = name.rpartition(".")[2]
    return skip or (last.startswith("_") and last != "__init__") or (what == "module" and last == "__main__")


def setup(app: Any) -> None:
    """Connect the hooks."""
    app.connect("autoapi-skip-member", _skip)
