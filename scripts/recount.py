"""Count the topics of a shop anew, and compare every figure of pages and reports with it; exit code 1 on a difference.

The settings are those of the workers (``HEADRACE_KAFKA``, ``HEADRACE_REDIS``, ``HEADRACE_SHOP`` …); nothing is written. All
records must have a verdict, and the topics must still have them all.

    HEADRACE_KAFKA=… HEADRACE_REDIS=… python scripts/recount.py
    HEADRACE_SHOP=examples/online-retail HEADRACE_KAFKA=… HEADRACE_REDIS=… python scripts/recount.py
"""

from __future__ import annotations

import sys

from headrace.recount.run import compare_all
from stream_app.errors import HeadraceError
from stream_app.settings import load_settings

if __name__ == "__main__":
    try:
        compared = compare_all(load_settings())
    except HeadraceError as error:
        sys.exit(f"recount: {error}")
    print(compared.table())
    sys.exit(1 if compared.differences else 0)
