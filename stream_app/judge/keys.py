"""Keys that may occur once: what a batch claims, and which of its records repeat a key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from hashlib import blake2b
from itertools import compress
from typing import Any

from stream_app.contract.model import Contract, Rule, Unique
from stream_app.judge.batch import Owned, Release, Verdicts
from stream_app.judge.owners import owners_of, periods_of
from stream_app.judge.request import Claim, Compared, Found
from stream_app.judge.verdict import Verdict

_WHOLE = re.compile(r"-?[0-9]{1,20}")
#: Integers up to here are exact in Lua.
EXACT = 2**53
#: Characters of a text that is stored as it is; of a longer one, its fingerprint.
LONGEST = 22


def claims_of(
    contract: Contract, verdicts: Verdicts, partition: int, offsets: Sequence[int], generation: int = 0
) -> tuple[list[Compared], list[Claim]]:
    """Return the claims of records of one partition on their keys, and what each of them is about.

    ``generation``: of the raw topic (``owners.Owner``).
    """
    bodies = verdicts.bodies
    if not bodies:
        return [], []
    compared: list[Compared] = []
    claims: list[Claim] = []
    # What is neither marked nor deleted has a body.
    apart = sorted(i for i in {*verdicts.marked, *verdicts.deleted} if bodies[i] is None)
    for unique in contract.uniques:
        ids = _ids(unique, verdicts)
        kept = bytearray(b"\1") * len(ids)
        looked = [] if unique.among == "seen" else [i for i in apart if ids[i] is not None]
        for i in looked:
            kept[i] = 0
        if None in ids:
            for i, one in enumerate(ids):
                if one is None:
                    kept[i] = 0
        made = list(compress(range(len(ids)), kept))
        # A record that only looks is compared with those before it, whatever batch they are in: with what the batch
        # claims itself if that comes first, else with what was claimed before the batch.
        asked = {ids[i] for i in looked}
        first: dict[Any, int] = {}
        if not asked.isdisjoint(compress(ids, kept)):
            for i in made:
                if ids[i] in asked:
                    first.setdefault(ids[i], i)
        after = [i for i in looked if first.get(ids[i], i) < i]
        before = [i for i in looked if first.get(ids[i], i) >= i]
        content = bodies if unique.contradiction is not None else None
        owners = owners_of(partition, offsets, content, generation=generation)
        periods = periods_of(verdicts, unique.within_ms)
        for claim, rows in ((False, before), (True, made), (False, after)):
            if rows:
                claims.append(_claim(unique, rows, ids, owners, periods, claim=claim))
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


def releases_of(contract: Contract, rows: Iterable[tuple[Verdict, bytes]]) -> list[Release]:
    """Return the keys that rejected ones of (verdict, owner without content) rows have claimed and give back."""
    return [
        (unique.rule.id, key, owner)
        for verdict, owner in rows
        if verdict.rejected and verdict.values is not None
        for unique in contract.uniques
        if unique.among == "kept" and (key := _key_of(unique, contract, verdict.values)) is not None
    ]


def owned_of(contract: Contract, uniques: Sequence[Unique], verdicts: Verdicts, owners: Sequence[bytes]) -> list[Owned]:
    """Return the keys, by these rules, that go with the records; ``owners``: that each record is, without content."""
    if not uniques or contract.key is None:
        return []
    return [
        (str(values[contract.key]), unique.rule.id, key, owner)
        for index, (body, owner) in enumerate(zip(verdicts.bodies, owners, strict=True))
        if body is not None and (values := verdicts.values(index)) is not None and values[contract.key] is not None
        for unique in uniques
        if (key := _key_of(unique, contract, values)) is not None
    ]


def _key_of(unique: Unique, contract: Contract, values: Mapping[str, Any]) -> Any:
    return unique_id([values[name] for name in unique.fields], seen=False, integer=is_integer(unique, contract))


def _claim(
    unique: Unique, rows: list[int], ids: list[Any], owners: list[bytes], periods: int | list[int], *, claim: bool
) -> Claim:
    if len(rows) == len(ids):
        return Claim(unique.rule.id, claim, ids, owners, periods)
    if not isinstance(periods, int):
        periods = list(map(periods.__getitem__, rows))
    return Claim(unique.rule.id, claim, list(map(ids.__getitem__, rows)), list(map(owners.__getitem__, rows)), periods)


def _ids(unique: Unique, verdicts: Verdicts) -> list[Any]:
    """Return what must be unique, of each record: integers that a script computes with exactly as they are, else texts."""
    columns = [verdicts.column(name) for name in unique.fields]
    seen = unique.among == "seen"
    if len(columns) > 1:
        return [unique_id(parts, seen=seen, integer=False) for parts in zip(*columns, strict=True)]
    integer = is_integer(unique, verdicts.contract)
    if integer and None not in columns[0] and max(columns[0]) < EXACT and min(columns[0]) > -EXACT:
        return columns[0]
    return [unique_id((one,), seen=seen, integer=integer) for one in columns[0]]


def is_integer(unique: Unique, contract: Contract) -> bool:
    """True if the key is one integer field."""
    return len(unique.fields) == 1 and contract.field(unique.fields[0]).type == "integer"


def keys_of_id(contract: Contract, identity: str) -> list[tuple[str, Any]]:
    """Return (rule id, key) of the rules by which the id of a record, as text, is unique."""
    found: list[tuple[str, Any]] = []
    for unique in contract.uniques:
        if unique.among == "kept" and unique.fields == (contract.key,):
            integer = is_integer(unique, contract)
            value = int(identity) if integer and _WHOLE.fullmatch(identity) else identity
            found.append((unique.rule.id, unique_id([value], seen=False, integer=isinstance(value, int))))
    return found


def unique_id(parts: Sequence[Any], *, seen: bool, integer: bool) -> Any:
    """Return what must be unique; ``None`` where a field of the key is missing (unless nulls compare, ``seen``).

    An integer is one as long as a script can compute with it, else it is a text; a long text is a fingerprint.
    """
    if len(parts) == 1:
        [one] = parts
        if one is None or (integer and -EXACT < one < EXACT):
            return one
        text = str(one)
        return text if len(text) <= LONGEST else fingerprint([text])
    if not seen and any(part is None for part in parts):
        return None
    return fingerprint(parts)


def fingerprint(parts: Sequence[Any]) -> bytes:
    """Return 128 bits that stand for the values of several fields.

    Moments count as texts: their zones may be of several kinds.
    """
    parts = [str(part) if isinstance(part, date) else part for part in parts]
    return blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()
