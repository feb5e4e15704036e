"""Raw records → verdicts, by one contract.

Three ways lead to a verdict; README.md in this folder says what each buys and what holds them to the same answer.

1. Records that are canonical JSON already are read and checked by column (``canonical``).
2. Other records that are clean: one strict parse, one serialisation, the rules (``Judge._judge_one``).
3. All others are examined (``examination``).
"""

from __future__ import annotations

from typing import Any

from stream_app.contract.model import Contract, Rule
from stream_app.judge.batch import Verdicts
from stream_app.judge.canonical import Canonical
from stream_app.judge.checks import checks_of
from stream_app.judge.examination import Examination
from stream_app.judge.models import build_models, spelling_keys
from stream_app.judge.parsing import is_doubtful
from stream_app.judge.rows import rows_of
from stream_app.judge.verdict import Verdict


class Judge:
    """Judges the records of one entity. Immutable after construction: one instance serves any number of threads."""

    def __init__(self, contract: Contract, max_bytes: int = 256 * 1024) -> None:
        self.contract = contract
        self.max_bytes = max_bytes
        models = build_models(contract)
        self._parse, self._dump = models.fast, models.dump
        self._count = len(contract.fields)
        self._spellings = [(field.name, spelling_keys(field)) for field in contract.fields if field.spellings]
        self._checks = checks_of(contract)
        self._canonical = Canonical(contract, rows_of(tuple(field.name for field in contract.fields)))
        self._examination = Examination(contract, models, self._checks, max_bytes)

    def judge(self, raw: bytes | None, as_of_ms: int) -> Verdict:
        """Return the verdict on ``raw``, judged as of ``as_of_ms`` (milliseconds since the epoch). Never raises."""
        verdict: Verdict = self.judge_all([raw], [as_of_ms])[0]
        return verdict

    def judge_all(self, raws: list[bytes | None], as_of_ms: list[int]) -> Verdicts:
        """Return the verdicts on ``raws``, each as of its moment, in order. Never raises."""
        verdicts = Verdicts(self.contract, as_of_ms)
        rows, bodies, others, failed = self._canonical.read(self._eligible(raws))
        verdicts.fill(rows, bodies)
        broken = self._broken_rules(verdicts) if len(others) < len(rows) else {}
        # What cannot be decoded to the contract's types is never clean as it came.
        for index in failed:
            broken.pop(index, None)
            verdicts.put(index, self.examine(raws[index], as_of_ms[index]))
        for index in sorted({*others}.difference(failed)) if failed else others:
            broken.pop(index, None)
            self._judge_one(verdicts, index, raws[index], as_of_ms[index])
        for index, rules in broken.items():
            values = verdicts.values(index) or {}
            verdicts.put(index, Verdict.of(self.contract, values, bodies[index], as_of_ms[index], rules))
        return verdicts

    def examine(self, raw: bytes | None, as_of_ms: int) -> Verdict:
        """Return the verdict on ``raw`` by the thorough way, with which the other two must agree. Never raises."""
        return self._examination.examine(raw, as_of_ms)

    def _eligible(self, raws: list[bytes | None]) -> list[bytes | None]:
        """Return the records that are ASCII and not too long; ``None`` in the stead of others. Mostly one test covers all."""
        if None not in raws and max(map(len, raws), default=0) <= self.max_bytes and b"".join(raws).isascii():  # type: ignore[arg-type]
            return raws
        return [raw if self._is_eligible(raw) else None for raw in raws]

    def _is_eligible(self, raw: bytes | None) -> bool:
        return raw is not None and len(raw) <= self.max_bytes and raw.isascii()

    def _broken_rules(self, verdicts: Verdicts) -> dict[int, list[Rule]]:
        """Return index → the rules that the canonical record breaks, computed column by column."""
        broken: dict[int, list[Rule]] = {}
        for check in self._checks:
            for index in check.broken_indexes([verdicts.column(name) for name in check.fields], verdicts.as_of):
                broken.setdefault(index, []).append(check.rule)
        return broken

    def _judge_one(self, verdicts: Verdicts, index: int, raw: bytes | None, as_of: int) -> None:
        """Set the verdict on a record that is not canonical: the fast way if the record is clean; else examine it."""
        if not self._is_eligible(raw):
            verdicts.put(index, self.examine(raw, as_of))
            return
        try:
            values = self._parse(raw)  # type: ignore[arg-type]
            body = self._dump(values)
        except (ValueError, TypeError):
            verdicts.put(index, self.examine(raw, as_of))
            return
        # A record that serialises to itself has no key twice; any other must show that it has none.
        if (body != raw and is_doubtful(raw, self._count)) or (self._spellings and self._respelled(values)):  # type: ignore[arg-type]
            verdicts.put(index, self.examine(raw, as_of))
            return
        findings = [check.rule for check in self._checks if check.broken(values, as_of)]
        if findings:
            verdicts.put(index, Verdict.of(self.contract, values, body, as_of, findings))
        else:
            verdicts.put_clean(index, values, body)

    def _respelled(self, values: dict[str, Any]) -> bool:
        """True if cleaning would spell one of the values in another way."""
        for name, spellings in self._spellings:
            value = values[name]
            if value is not None and value.casefold() in spellings:
                return True
        return False
