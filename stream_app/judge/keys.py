"""Keys that may occur once: what a batch claims, and which of its records repeat a key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from hashlib import blake2b
from typing import Any
from zlib import crc32

from stream_app.contract.model import Contract, Rule, Unique
from stream_app.judge.batch import Verdicts
from stream_app.judge.request import Claim, Compared, Found


def claims_of(contract: Contract, verdicts: Verdicts, sources: Sequence[bytes]) -> tuple[list[Compared], list[Claim]]:
    """Return the claims of a batch on its keys, and what each of them is about."""
    bodies = verdicts.bodies
    compared: list[Compared] = []
    claims: list[Claim] = []
    for unique in contract.uniques:
        ids = _ids(unique, verdicts)
        seen = unique.among == "seen"
        if None in ids or (not seen and None in bodies):
            made = [i for i, (one, body) in enumerate(zip(ids, bodies, strict=True)) if one is not None and (seen or body)]
            looked = [] if seen else [i for i, one in enumerate(ids) if one is not None and not bodies[i]]
        else:
            made, looked = list(range(len(ids))), []
        # A record that only looks is compared with those before it, whatever batch they are in: with what the batch
        # claims itself if that comes first, else with what was claimed before the batch.
        asked = {ids[i] for i in looked}
        first: dict[str | None, int] = {}
        for i in made if asked else ():
            if ids[i] in asked:
                first.setdefault(ids[i], i)
        after = [i for i in looked if first.get(ids[i], i) < i]
        before = [i for i in looked if first.get(ids[i], i) >= i]
        for claim, rows in ((False, before), (True, made), (False, after)):
            if rows:
                claims.append(_claim(unique, rows, ids, sources, bodies, claim=claim))
                compared.append(Compared(unique, rows))
    return compared, claims


def duplicates(compared: list[Compared], found: Found) -> dict[int, list[Rule]]:
    """Return index → the uniqueness rules that the record breaks."""
    rules: dict[int, list[Rule]] = {}
    for one, repeats, contradictions in zip(compared, found.repeats, found.contradictions, strict=True):
        for index in repeats:
            rules.setdefault(one.rows[index], []).append(one.unique.rule)
        for index in contradictions:
            rules.setdefault(one.rows[index], []).append(one.unique.contradiction or one.unique.rule)
    return rules


def _claim(
    unique: Unique,
    rows: list[int],
    ids: list[str | None],
    sources: Sequence[bytes],
    bodies: list[bytes | None],
    *,
    claim: bool,
) -> Claim:
    whole = len(rows) == len(ids)
    holders = list(sources) if whole else [sources[index] for index in rows]
    if unique.contradiction is not None:
        contents = map(crc32, bodies if whole and None not in bodies else [bodies[index] or b"" for index in rows])  # type: ignore[arg-type]
        holders = list(map(b"%b %x".__mod__, zip(holders, contents, strict=True)))
    return Claim(unique.rule.id, claim, ids if whole else [ids[index] for index in rows], holders)  # type: ignore[arg-type, misc]


def _ids(unique: Unique, verdicts: Verdicts) -> list[str | None]:
    columns = [verdicts.column(name) for name in unique.fields]
    if len(columns) == 1:
        return [None if one is None else str(one) for one in columns[0]] if None in columns[0] else list(map(str, columns[0]))
    seen = unique.among == "seen"
    return [unique_id(parts, seen=seen) for parts in zip(*columns, strict=True)]


def unique_id(parts: Sequence[Any], *, seen: bool) -> str | None:
    """Return the text that must be unique; ``None`` where a field of the key is missing (unless nulls compare, ``seen``)."""
    if len(parts) == 1:
        return None if parts[0] is None else str(parts[0])
    if not seen and any(part is None for part in parts):
        return None
    return fingerprint(parts)


def fingerprint(parts: Sequence[Any]) -> str:
    """Return 128 bits that stand for the values of several fields.

    Moments count as texts: their zones may be of several kinds.
    """
    parts = [str(part) if isinstance(part, date) else part for part in parts]
    return blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
