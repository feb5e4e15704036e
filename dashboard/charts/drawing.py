"""Charts that cost little to draw again: a specification that is made once, and the rows that change.

Most of a refresh was spent in Altair, which copies a chart part by part and looks up its schema. What a chart looks like
depends on a few choices only, so ``template`` makes each specification once; ``kept`` keeps the last charts, and gives one
again if, and only if, everything that it was drawn from is equal.
"""

from __future__ import annotations

import functools
import threading
from collections import deque
from collections.abc import Callable, Mapping
from functools import cached_property
from hashlib import blake2b
from typing import Any, ParamSpec, TypeVar

import altair as alt
import pandas as pd
import pyarrow as pa

from dashboard.text import local

P = ParamSpec("P")
T = TypeVar("T")

#: A Vega-Lite specification; the names of its data sets are those of the rows.
Spec = dict[str, Any]
#: Specifications of a kind of chart that are kept, and last charts of each kind: about as many as viewers look at.
TEMPLATES = 64
CHARTS = 8


class Rows:
    """A data set; several charts may share it."""

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self.frame = pd.DataFrame(columns)

    @cached_property
    def arrow(self) -> tuple[str, bytes]:
        """A name that tells these rows from any others, and the rows in Arrow's format."""
        table = pa.Table.from_pandas(self.frame)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        written = sink.getvalue().to_pybytes()
        return blake2b(written, digest_size=16).hexdigest(), written


class Drawing:
    """A chart: its specification, and rows by the name of their data set. It does not change once it is made."""

    def __init__(self, spec: Spec, **sets: Rows) -> None:
        self._spec = spec
        self._sets = sets

    def spec(self, **more: Any) -> Spec:
        """Return the specification with the rows in Arrow's format; ``more``: further properties of the whole."""
        written = {name: rows.arrow for name, rows in self._sets.items()}
        named = self._named({name: of for name, (of, _) in written.items()})
        return {**named, **more, "datasets": dict(written.values())}

    def to_dict(self) -> Spec:
        """Return the specification with the rows as dictionaries, as Altair does."""
        rows = {name: alt.to_values(one.frame)["values"] for name, one in self._sets.items()}
        return {**self._named({name: name for name in rows}), "datasets": rows}

    def _named(self, names: Mapping[str, str]) -> Spec:
        """Return the specification with other names of its data sets; what is not changed is shared with the template."""

        def renamed(part: Mapping[str, Any]) -> Spec:
            copied = dict(part)
            if "data" in copied:
                copied["data"] = {"name": names[copied["data"]["name"]]}
            return copied

        whole = renamed(self._spec)
        if "layer" in whole:
            whole["layer"] = [renamed(layer) for layer in whole["layer"]]
        return whole


def template(make: Callable[P, Any]) -> Callable[P, Spec]:
    """Have the specification of an Altair chart made once for all equal arguments, which are hashable.

    Its data is a name (``rows``). The zone of the clocks counts as an argument, because axes and texts follow it.
    """

    def make_anew(_zone: object, *args: Any, **more: Any) -> Spec:
        spec: Spec = make(*args, **more).to_dict(validate=False)
        # The page sets the colours: Altair's own configuration is not wanted.
        spec.pop("config", None)
        return spec

    made: Callable[..., Spec] = functools.lru_cache(TEMPLATES)(make_anew)

    @functools.wraps(make)
    def templated(*args: P.args, **more: P.kwargs) -> Spec:
        return made(local.zone(), *args, **more)

    return templated


def kept(draw: Callable[P, T]) -> Callable[P, T]:
    """Give the same charts again for equal arguments; those of the last ``CHARTS`` calls are kept."""
    last: deque[tuple[object, T]] = deque(maxlen=CHARTS)
    lock = threading.Lock()

    @functools.wraps(draw)
    def drawn(*args: P.args, **more: P.kwargs) -> T:
        of = (local.zone(), *map(_frozen, args), *((name, _frozen(value)) for name, value in sorted(more.items())))
        with lock:
            known = list(last)
        for one, drawing in reversed(known):
            if one == of:
                return drawing
        drawing = draw(*args, **more)
        with lock:
            last.append((of, drawing))
        return drawing

    return drawn


def _frozen(value: Any) -> Any:
    """Return a value that does not change with its owner."""
    if isinstance(value, list):
        return tuple(value)
    return dict(value) if isinstance(value, dict) else value
