"""Exit with one line if Python is too old for Headrace; runs on any Python."""

import sys

if sys.version_info < (3, 11):
    sys.exit(
        "Headrace needs Python 3.11 or newer; this is %s. Name a newer one: make PYTHON=python3.12 …" % sys.version.split()[0]
    )
